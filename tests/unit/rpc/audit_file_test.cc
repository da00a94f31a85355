// The audit's lines, its file and its way into the journal.
#include "agent/audit_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_split.h"
#include "agent/audit.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "nlohmann/json.hpp"
#include "tests/fakes/fake_observer.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using Json = nlohmann::json;
using Lines = std::vector<std::string>;

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

absl::Time ExampleTime() { return absl::FromCivil(absl::CivilSecond(2001, 2, 3, 4, 5, 6), absl::UTCTimeZone()); }

Caller Nova() {
  return {.process = PeerCredentials{.uid = 64060, .gid = 64060, .pid = 4711, .groups = {}, .is_self = false},
          .certificate_names = {}};
}

// Those of the manual, which shows them.
Lines ExamplesOfTheManual() {
  Lines lines;
  for (const absl::string_view line : absl::StrSplit(TextOf(OPERATIONS), '\n')) {
    const std::string text(absl::StripLeadingAsciiWhitespace(line));
    if (text.starts_with("{\"time\"")) lines.push_back(text);
  }
  return lines;
}

TEST(AuditLine, IsAsTheManualShowsIt) {
  const Caller caller = Nova();
  const LogFields asked = {{"volume", "3b9b0b42-6c1f-4f5e-9d6a-2f0f8a3c1d20"},
                           {"device", "/dev/sdc"},
                           {"key", "7f1c2a5e-0d3b-4b8a-8e59-6a1d4c9b2f11"},
                           {"key_manager", "barbican"}};
  const LogFields::value_type request = {"request_id", "req-5d0f3a8e-2c4b-4f19-8b7d-9e6a1c0d4b32"};
  AuditEvent event{.verb = "AttachVolume",
                   .caller = &caller,
                   .role = "compute",
                   .about = asked,
                   .will = "formats the blank device",
                   .outcome = absl::OkStatus(),
                   .took = absl::ZeroDuration()};
  event.about.emplace_back("device_identity", "8:32 wwid=naa.600140512345");
  event.about.emplace_back("luks_uuid", "c0e5a1d4-93b7-4c55-8a54-1d3f5b7e9a02");
  event.about.push_back(request);
  const std::string before = AuditLine(event, ExampleTime());
  event.will = "";
  event.took = absl::Milliseconds(184);
  event.about.back() = {"size_bytes", "1071644672"};
  event.about.emplace_back("formatted", "true");
  event.about.push_back(request);
  const std::string after = AuditLine(event, ExampleTime() + absl::Milliseconds(171));
  EXPECT_EQ(ExamplesOfTheManual(), (Lines{before, after}));
}

TEST(AuditLine, ValuesAreEscapedCutAndMadeUtf8) {
  const Caller nobody{.process = std::nullopt, .certificate_names = {"\"quoted\"", std::string(1000, 'n')}};
  const std::string text = AuditLine({.verb = "AttachVolume",
                                      .caller = &nobody,
                                      .role = "none",
                                      .about = {{"volume", "a\nb\"c\\\x7f\x1b"},
                                                {"device", "\xff\xc3(\xe2\x82"},
                                                {"key", std::string(1 << 20, '\n')},
                                                {"on", "gr\xc3\xbcn"}},
                                      .will = "",
                                      .outcome = absl::UnknownError("?"),
                                      .took = absl::Seconds(1)},
                                     ExampleTime());
  EXPECT_LT(text.size(), 2500U);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c < 0x7f) << text;
  const Json line = Json::parse(text);
  EXPECT_EQ(line["volume"], "a\nb\"c\\\x7f\x1b");
  EXPECT_EQ(line["device"], "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd");
  EXPECT_EQ(line["key"], std::string(256, '\n'));
  EXPECT_EQ(line["on"], "gr\xc3\xbcn");
  EXPECT_EQ(line["caller"], (Json{{"certificate", {"\"quoted\"", std::string(256, 'n')}}}));
  EXPECT_EQ(line["result"], "INTERNAL");
  EXPECT_EQ(line["reason"], "WORKER_FAILED");
}

TEST(AuditLine, CallerThatNobodyKnowsIsNull) {
  const AuditEvent event{.verb = "GetInfo",
                         .caller = nullptr,
                         .role = "none",
                         .about = {},
                         .will = "",
                         .outcome = MakeError(Reason::kCallerUnknown, "?"),
                         .took = absl::ZeroDuration()};
  EXPECT_TRUE(Json::parse(AuditLine(event, ExampleTime()))["caller"].is_null());
}

class AuditFileTest : public testing::Test {
 protected:
  absl::Status Add(const std::string& line) { return file_.Add(line, /*durable=*/true); }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("audit.log");
  AuditFile file_;
};

TEST_F(AuditFileTest, WithoutAPathNothingIsWritten) {
  EXPECT_TRUE(Add("one").ok());
  ASSERT_TRUE(file_.Open(path_).ok());
  ASSERT_TRUE(file_.Open("").ok());
  EXPECT_TRUE(Add("two").ok());
  EXPECT_EQ(TextOf(path_), "");
}

TEST_F(AuditFileTest, LinesAreAddedToWhatIsThere) {
  directory_.Write("audit.log", "older\n");
  ASSERT_TRUE(file_.Open(path_).ok());
  EXPECT_TRUE(Add("one").ok());
  EXPECT_TRUE(file_.Add("two", /*durable=*/false).ok());
  EXPECT_EQ(TextOf(path_), "older\none\ntwo\n");
}

TEST_F(AuditFileTest, IsForItsOwnerAlone) {
  const mode_t before = umask(0);
  ASSERT_TRUE(file_.Open(path_).ok());
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(AuditFileTest, RotatedFileGetsLinesUntilItIsOpenedAgain) {
  ASSERT_TRUE(file_.Open(path_).ok());
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_TRUE(Add("one").ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(file_.Reopen().ok());
  EXPECT_TRUE(Add("two").ok());
  EXPECT_EQ(TextOf(path_ + ".1"), "one\n");
  EXPECT_EQ(TextOf(path_), "two\n");
}

TEST_F(AuditFileTest, DeletedFileIsMadeAnewOrAnError) {
  std::filesystem::create_directory(directory_.Path("logs"));
  const std::string path = directory_.Path("logs/audit.log");
  ASSERT_TRUE(file_.Open(path).ok());
  std::filesystem::remove(path);
  EXPECT_TRUE(Add("one").ok());
  EXPECT_EQ(TextOf(path), "one\n");
  std::filesystem::remove_all(directory_.Path("logs"));
  EXPECT_TRUE(HasReason(Add("two"), Reason::kStateNotWritable));
}

TEST_F(AuditFileTest, WhatIsNoFileOrCannotBeMadeIsAnErrorAndTheOldOneStays) {
  ASSERT_TRUE(file_.Open(path_).ok());
  const std::string pipe = directory_.Path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& wrong :
       {directory_.Path("no/such/file"), directory_.Path(), pipe, std::string("/dev/null")}) {
    const absl::Status refused = file_.Open(wrong);
    EXPECT_TRUE(HasReason(refused, Reason::kInvalidField)) << wrong << ": " << refused;
  }
  ASSERT_TRUE(file_.Reopen().ok());
  EXPECT_TRUE(Add("one").ok());
  EXPECT_EQ(TextOf(path_), "one\n");
}

TEST_F(AuditFileTest, LineThatFindsNoRoomIsAnErrorAndSpoilsNoLaterOne) {
  ASSERT_TRUE(file_.Open(path_).ok());
  ASSERT_TRUE(Add("whole").ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const sighandler_t handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {.rlim_cur = 10, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status torn = Add("of this half");
  const absl::Status none = Add("of this nothing");
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_TRUE(HasReason(torn, Reason::kStateNotWritable)) << torn;
  EXPECT_TRUE(HasReason(none, Reason::kStateNotWritable)) << none;
  EXPECT_TRUE(Add("whole again").ok());
  EXPECT_EQ(TextOf(path_), "whole\nof t\nwhole again\n");
}

std::vector<Lines>& JournalEntries() {
  static std::vector<Lines> entries;
  return entries;
}

// Standard error of a service, and a journal that takes entries or does not.
class AuditJournalTest : public AuditFileTest {
 protected:
  AuditJournalTest() {
    struct stat status {};
    EXPECT_EQ(fstat(stream_.Get(), &status), 0);
    setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
    JournalEntries().clear();
  }
  ~AuditJournalTest() override { unsetenv("JOURNAL_STREAM"); }

  static AuditEvent Event(std::string_view will) {
    return {.verb = "AttachVolume",
            .caller = nullptr,
            .role = "none",
            .about = {{"volume", "vol-1"}},
            .will = will,
            .outcome = absl::OkStatus(),
            .took = absl::ZeroDuration()};
  }

  std::string Stream() const { return TextOf("/proc/self/fd/" + std::to_string(stream_.Get())); }

  UniqueFd stream_{memfd_create("stream", MFD_CLOEXEC)};
  FakeObserver observer_;
};

TEST_F(AuditJournalTest, EntryIsTheLineWithFieldsAndAtEveryLevel) {
  const Log log(LogLevel::kError, stream_.Get(), [](const Lines& fields) {
    JournalEntries().push_back(fields);
    return true;
  });
  Audit audit(log, observer_);
  ASSERT_TRUE(audit.File().Open(path_).ok());
  EXPECT_TRUE(audit.WriteBefore(Event("formats")).ok());
  audit.WriteAfter(Event(""));
  ASSERT_EQ(JournalEntries().size(), 2U);
  const std::string text = TextOf(path_);
  EXPECT_EQ(JournalEntries()[0], (Lines{"MESSAGE=" + text.substr(0, text.find('\n')), "PRIORITY=5", "VOLCRYPT_AUDIT=1",
                                        "VOLCRYPT_VOLUME=vol-1"}));
  EXPECT_EQ(Stream(), "");
  EXPECT_EQ(observer_.Take(), Lines{});
}

TEST_F(AuditJournalTest, LineGoesToTheStreamWhenTheJournalTakesNoEntries) {
  const Log log(LogLevel::kInfo, stream_.Get(), [](const Lines&) { return false; });
  Audit audit(log, observer_);
  audit.WriteAfter(Event(""));
  EXPECT_TRUE(Stream().starts_with("<5>{\"time\":")) << Stream();
  EXPECT_EQ(observer_.Take(), Lines{});
}

TEST_F(AuditJournalTest, LineThatTheJournalDoesNotGetAtAllIsCounted) {
  const UniqueFd closed_for_writing(open(("/proc/self/fd/" + std::to_string(stream_.Get())).c_str(), O_RDONLY));
  const Log log(LogLevel::kInfo, closed_for_writing.Get(), [](const Lines&) { return false; });
  Audit audit(log, observer_);
  EXPECT_TRUE(audit.WriteBefore(Event("formats")).ok()) << "no file is configured";
  EXPECT_EQ(observer_.Take(), Lines{"audit failed"});
}

}  // namespace
}  // namespace volcrypt
