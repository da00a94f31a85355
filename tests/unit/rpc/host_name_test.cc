#include "agent/host_name.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

constexpr const char* kMachineId = "3D1219c7c4c5404aaa1f6d2a48adfda4";
constexpr const char* kOtherMachineId = "3d1219c7c4c6404aaa1f6d2a48adfda4";
constexpr const char* kBootId = "abcdef01-2345-4678-9abc-def012345678";

TEST(HostName, HasHostAndBeginningOfMachineId) {
  const HostName host = MakeHostName("compute-1.example", kMachineId, kBootId);
  EXPECT_EQ(host.name, "compute-1.example/3d1219c7c4c5");
  EXPECT_TRUE(host.has_machine_id);
}

TEST(HostName, SameHostNameOnTwoMachinesIsTwoHosts) {
  EXPECT_NE(MakeHostName("a", kMachineId, kBootId).name, MakeHostName("a", kOtherMachineId, kBootId).name);
}

TEST(HostName, ClonedMachineIdOnTwoHostNamesIsTwoHosts) {
  EXPECT_NE(MakeHostName("a", kMachineId, kBootId).name, MakeHostName("b", kMachineId, kBootId).name);
}

TEST(HostName, WithoutMachineIdItHoldsForThisBootAlone) {
  for (const char* const id : {"", "uninitialized", "3d1219", "zz1219c7c4c5404aaa1f6d2a48adfda4"}) {
    const HostName host = MakeHostName("a", id, kBootId);
    EXPECT_EQ(host.name, "a/abcdef012345") << id;
    EXPECT_FALSE(host.has_machine_id) << id;
  }
}

TEST(HostName, StrangeCharactersAreReplaced) {
  EXPECT_EQ(MakeHostName("a/b c\n", kMachineId, kBootId).name, "a_b_c_/3d1219c7c4c5");
  EXPECT_EQ(MakeHostName("", kMachineId, kBootId).name, "unnamed/3d1219c7c4c5");
}

TEST(HostName, FilesAreRead) {
  const TempDirectory root;
  root.Write("etc/machine-id", std::string(kMachineId) + "\n");
  EXPECT_TRUE(ReadHostName(root.Path()).name.ends_with("/3d1219c7c4c5"));
  const TempDirectory bare;
  bare.Write("proc/sys/kernel/random/boot_id", std::string(kBootId) + "\n");
  EXPECT_TRUE(ReadHostName(bare.Path()).name.ends_with("/abcdef012345"));
}

}  // namespace
}  // namespace volcrypt
