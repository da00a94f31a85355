// The key of a volume that is mapped already, tried on the header that its device has now.
#include "encryptors/key_check.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "encryptors/reason.h"
#include "unit/encryptors/test_key.h"
#include "unit/luks/luks_image.h"

namespace volcrypt {
namespace {

constexpr char kKey[] = "0123456789abcdef";
constexpr char kPassphrase[] = "30313233343536373839616263646566";  // its hexadecimal text

class KeyCheckTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { uuid_ = crypt_get_uuid(image_.Format(GetParam(), kPassphrase).get()); }

  absl::Status Check(const std::string& key = kKey, const std::string& uuid = "",
                     const std::vector<std::string>& ciphers = {"aes-xts-plain64"}) const {
    const UniqueFd fd(open(image_.Path().c_str(), O_RDONLY | O_CLOEXEC));
    return CheckKeyOpens(fd, image_.Path(), uuid.empty() ? uuid_ : uuid, ciphers, KeyWith(key));
  }
  void Overwrite(off_t offset, size_t length) const {
    const UniqueFd fd(open(image_.Path().c_str(), O_WRONLY | O_CLOEXEC));
    const std::vector<char> zeros(length);
    ASSERT_EQ(pwrite(fd.Get(), zeros.data(), length, offset), static_cast<ssize_t>(length));
  }

  LuksImage image_;
  std::string uuid_;
};

TEST_P(KeyCheckTest, RightKeyOpens) { EXPECT_TRUE(Check().ok()) << Check(); }

TEST_P(KeyCheckTest, AnotherKeyIsRejected) {
  EXPECT_TRUE(HasReason(Check("0123456789abcdeF"), Reason::kKeyRejected)) << Check("0123456789abcdeF");
}

TEST_P(KeyCheckTest, HeaderOfAnotherVolumeIsNotWhatIsAttached) {
  const absl::Status status = Check(kKey, "00000000-0000-4000-8000-000000000000");
  EXPECT_TRUE(HasReason(status, Reason::kAttachedDifferently)) << status;
}

TEST_P(KeyCheckTest, HeaderThatMustNotBeTrustedIsRefusedBeforeTheKeyIsTried) {
  const absl::Status status = Check("another key at all", "", {"aes-cbc-essiv:sha256"});
  EXPECT_TRUE(HasReason(status, Reason::kHeaderRefused)) << status;
}

TEST_P(KeyCheckTest, HeaderThatIsGoneIsSaid) {
  Overwrite(0, size_t{1} << 20);
  EXPECT_TRUE(HasReason(Check(), Reason::kHeaderDamaged)) << Check();
}

TEST_P(KeyCheckTest, NothingIsWritten) {
  const auto content = [this] {
    const UniqueFd fd(open(image_.Path().c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(size_t{4} << 20, '\0');
    EXPECT_EQ(pread(fd.Get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  };
  const std::string before = content();
  EXPECT_TRUE(Check().ok());
  EXPECT_FALSE(Check("0123456789abcdeF").ok());
  EXPECT_EQ(content(), before);
}

INSTANTIATE_TEST_SUITE_P(Types, KeyCheckTest, testing::Values(CRYPT_LUKS1, CRYPT_LUKS2));

TEST(KeyCheck, NumberThatNoDeviceHasIsAReadError) {
  const absl::Status status = CheckKeyOpens(makedev(4095, 1), "uuid", {}, KeyWith(kKey));
  EXPECT_TRUE(HasReason(status, Reason::kDeviceIoError)) << status;
}

}  // namespace
}  // namespace volcrypt
