#include "agent/log.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "agent/message_id.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

std::string TextOf(const UniqueFd& fd) {
  std::string text(static_cast<size_t>(lseek(fd.Get(), 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd.Get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

TEST(Log, LineHasMessageAndFields) {
  EXPECT_EQ(LogLine("AttachVolume", {{"volume", "vol-1"}, {"reason", "OK"}}), "AttachVolume volume=vol-1 reason=OK");
}

TEST(Log, ValuesThatCouldMisleadAreQuoted) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"two words", "\"two words\""},
      {"", "\"\""},
      {"a=b", "\"a=b\""},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"back\\slash", "\"back\\\\slash\""},
      {"line\nbreak", "\"line\\x0abreak\""},
      {"\x1b[31m", "\"\\x1b[31m\""},
      {"gr\xc3\xbcn", "\"gr\xc3\xbcn\""},
  };
  for (const auto& [value, written] : cases) EXPECT_EQ(LogLine("m", {{"f", value}}), "m f=" + written);
}

TEST(Log, MessageStaysOnOneLine) { EXPECT_EQ(LogLine("one\ntwo\r", {}), "one two "); }

TEST(Log, LevelsBelowTheChosenAreLeftOut) {
  const UniqueFd fd(memfd_create("log", MFD_CLOEXEC));
  Log log(LogLevel::kWarning, fd.Get());
  log.Write(LogLevel::kInfo, "quiet");
  log.Write(LogLevel::kError, "loud");
  EXPECT_EQ(TextOf(fd).find("quiet"), std::string::npos);
  EXPECT_NE(TextOf(fd).find(" error loud\n"), std::string::npos);
  log.SetLevel(LogLevel::kDebug);
  log.Write(LogLevel::kDebug, "chatty");
  EXPECT_NE(TextOf(fd).find(" debug chatty\n"), std::string::npos);
}

TEST(Log, JournalTakesEveryFieldAndTheMessageIdOfTheReason) {
  const std::vector<std::string> fields = JournalFields(
      LogLevel::kWarning, "AttachVolume", {{"volume", "vol-1"}, {"reason", "DEVICE_NOT_BLANK"}, {"error", "a\nb=c"}});
  EXPECT_EQ(fields, (std::vector<std::string>{
                        "MESSAGE=AttachVolume volume=vol-1 reason=DEVICE_NOT_BLANK error=\"a\\x0ab=c\"", "PRIORITY=4",
                        "VOLCRYPT_VOLUME=vol-1", "VOLCRYPT_REASON=DEVICE_NOT_BLANK",
                        "MESSAGE_ID=" + std::string(MessageIdOf("DEVICE_NOT_BLANK")), "VOLCRYPT_ERROR=a\nb=c"}));
  EXPECT_EQ(JournalFields(LogLevel::kInfo, "m", {{"reason", "OK"}}),
            (std::vector<std::string>{"MESSAGE=m reason=OK", "PRIORITY=6", "VOLCRYPT_REASON=OK"}));
}

// Of the catalog, which the build installs.
std::map<std::string, std::string> CatalogEntries() {
  std::map<std::string, std::string> entries;
  std::ifstream file(CATALOG);
  std::string id;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("-- ")) id = line.substr(3);
    if (!id.empty()) entries[id] += line + "\n";
  }
  return entries;
}

TEST(MessageId, EveryOneHasItsOwnEntryInTheCatalogAndNoEntryIsLeftOver) {
  std::map<std::string, std::string> entries = CatalogEntries();
  EXPECT_GE(entries.size(), 20U);
  for (int i = 0; i < kReasonCount; ++i) {
    const std::string id(MessageIdOf(ReasonName(static_cast<Reason>(i))));
    if (id.empty()) continue;
    EXPECT_EQ(id.size(), 32U);
    const auto entry = entries.find(id);
    ASSERT_NE(entry, entries.end()) << ReasonName(static_cast<Reason>(i));
    EXPECT_NE(entry->second.find("\nSubject: "), std::string::npos) << entry->second;
    EXPECT_NE(entry->second.find("\nDefined-By: volcrypt\n"), std::string::npos) << entry->second;
    entries.erase(entry);
  }
  EXPECT_TRUE(entries.empty()) << entries.begin()->second;
}

TEST(MessageId, WhatAnOperatorMustMendHasOne) {
  // The caller's to mend, by another request or by asking again later.
  const std::set<Reason> of_the_caller = {
      Reason::kInvalidField,
      Reason::kInvalidVolumeId,
      Reason::kInvalidKeyId,
      Reason::kDeviceNotAllowed,
      Reason::kUnsupportedEncryption,
      Reason::kUnknownKeyManager,
      Reason::kKeyRequired,
      Reason::kNotAttached,
      Reason::kAttachedDifferently,
      Reason::kDeviceInUse,
      Reason::kMappingInUse,
      Reason::kKeyInUse,
      Reason::kDraining,
      Reason::kOperationInProgress,
      Reason::kTooManyOperations,
      Reason::kCallerTokenRejected,
  };
  for (int i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(MessageIdOf(ReasonName(reason)).empty(), of_the_caller.contains(reason)) << ReasonName(reason);
  }
}

TEST(Log, WithoutAJournalThatTakesEntriesItGetsLinesWithPriorities) {
  const UniqueFd fd(memfd_create("log", MFD_CLOEXEC));
  struct stat status {};
  ASSERT_EQ(fstat(fd.Get(), &status), 0);
  setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  const Log refused(LogLevel::kInfo, fd.Get(), [](const std::vector<std::string>&) { return false; });
  refused.Write(LogLevel::kWarning, "careful");
  EXPECT_EQ(TextOf(fd), "<4>careful\n");
  const Log taken(LogLevel::kInfo, fd.Get(), [](const std::vector<std::string>&) { return true; });
  taken.Write(LogLevel::kWarning, "twice");
  EXPECT_EQ(TextOf(fd), "<4>careful\n");

  // The variable is inherited by programs whose output goes elsewhere.
  const UniqueFd other(memfd_create("other", MFD_CLOEXEC));
  const Log elsewhere(LogLevel::kInfo, other.Get());
  elsewhere.Write(LogLevel::kWarning, "careful");
  EXPECT_NE(TextOf(other).find(" warning careful\n"), std::string::npos);
  unsetenv("JOURNAL_STREAM");
}

TEST(Log, LevelsAreTheConfigurationsWords) {
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace volcrypt
