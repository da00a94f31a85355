#include "tools/volcryptctl/doctor/checks.h"

#include <sys/stat.h>
#include <utime.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/tools/cli_test.h"
#include "tools/volcryptctl/doctor/bundle_content.h"
#include "tools/volcryptctl/doctor/program.h"

namespace volcrypt::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Health = grpc::health::v1::HealthCheckResponse;

constexpr const char* kMapping = "/sys/block/dm-0";

// A healthy host below a directory, and a healthy agent; each test breaks one thing.
class DoctorTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    environment_.root = directory_.Path("root");
    // Where there is a user volcrypt, it is who looks at the configuration.
    ASSERT_EQ(::chmod(directory_.Path().c_str(), 0755), 0);
    environment_.agent_program = VOLCRYPTD;
    for (const char* module : {"dm_mod", "dm_crypt", "loop"}) MakeDirectory(absl::StrCat("/sys/module/", module), 0755);
    for (const char* closed : {"/var/lib/volcrypt", "/var/lib/volcrypt-helper", "/run/volcrypt-helper/locks"}) {
      MakeDirectory(closed, 0700);
    }
    MakeDirectory("/run/volcrypt", 0755);
    Write("/dev/mapper/control", "", 0600);
    Write("/etc/passwd", "root:x:0:0::/:/bin/sh\nvolcrypt:x:0:0::/:/bin/sh\n");
    Write("/etc/group", "root:x:0:\nvolcrypt:x:0:\n");
    Write("/etc/volcrypt/volcryptd.toml", "[log]\nlevel = \"info\"\n");
    Write("/var/lib/volcrypt/keys.db", "wrapped keys", 0600);
    Write("/var/lib/volcrypt/keys.kek", "key of keys", 0600);
    MakeProcess(100, "volcryptd", "S (sleeping)", "Max locked memory         8388608   8388608   bytes");
    MakeMapping("CRYPT-LUKS2-00000000000000000000000000000000-volcrypt-v", "0");
    v1::GetInfoResponse info;
    info.set_version(VOLCRYPT_VERSION);
    info.add_modes(v1::MODE_LIBVIRT_SECRET);
    info.add_key_managers()->set_name("local");
    agent_.agent.info.AnswerWith(info);
    Health health;
    health.set_status(Health::SERVING);
    agent_.health.check.AnswerWith(health);
  }

  std::string At(const std::string& path) const { return environment_.root + path; }
  void MakeDirectory(const std::string& path, mode_t mode) const {
    std::filesystem::create_directories(At(path));
    ASSERT_EQ(::chmod(At(path).c_str(), mode), 0);
  }
  void Write(const std::string& path, const std::string& text, mode_t mode = 0644) const {
    std::filesystem::create_directories(std::filesystem::path(At(path)).parent_path());
    std::ofstream(At(path)) << text;
    ASSERT_EQ(::chmod(At(path).c_str(), mode), 0);
  }
  void Remove(const std::string& path) const { std::filesystem::remove_all(At(path)); }
  void MakeProcess(int pid, const std::string& comm, const std::string& state, const std::string& limits) const {
    const std::string directory = absl::StrCat("/proc/", pid, "/");
    Write(directory + "comm", comm + "\n");
    Write(directory + "status", absl::StrCat("Name:\t", comm, "\nState:\t", state,
                                             "\nUid:\t0\t0\t0\t0\nCapEff:\t0000000000000000\n"
                                             "voluntary_ctxt_switches:\t7\n"));
    Write(directory + "limits", limits + "\n");
  }
  void MakeMapping(const std::string& uuid, const std::string& suspended) const {
    Write(absl::StrCat(kMapping, "/dm/name"), "volcrypt-v\n");
    Write(absl::StrCat(kMapping, "/dm/uuid"), uuid + "\n");
    Write(absl::StrCat(kMapping, "/dm/suspended"), suspended + "\n");
    MakeDirectory(absl::StrCat(kMapping, "/slaves/sdb"), 0755);
  }

  // The lines of one check.
  std::vector<nlohmann::ordered_json> Lines(const std::string& check, const std::vector<std::string>& options = {}) {
    std::vector<std::string> args = {"doctor", "-o", "json"};
    args.insert(args.end(), options.begin(), options.end());
    std::vector<nlohmann::ordered_json> lines;
    const nlohmann::ordered_json report = Run(args).Json();
    for (const auto& line : report["checks"]) {
      if (line["check"] == check) lines.push_back(line);
    }
    return lines;
  }
  // The worst of them.
  std::string Of(const std::string& check) {
    std::string worst = "OK";
    for (const auto& line : Lines(check)) {
      EXPECT_EQ(line["result"] == "OK", line["remedy"] == "") << line;
      EXPECT_NE(line["found"], "") << line;
      if (line["result"] == "FAULT" || worst == "OK") worst = line["result"];
    }
    return worst;
  }
  Examination Patient() const {
    const Host host{.root = environment_.root, .clock_is_synchronised = true, .now = absl::Now()};
    return {.host = host,
            .socket = environment_.default_endpoint.substr(5),
            .config = ConfigFile(),
            .agent = AgentAnswers()};
  }
};

TEST_F(DoctorTest, HealthyHostHasNoFault) {
  const Result result = Run({"doctor", "-o", "json"});
  EXPECT_EQ(result.status, 0) << result.out;
  const nlohmann::ordered_json report = result.Json();
  EXPECT_EQ(report["schema"], "volcrypt/v1");
  EXPECT_GE(report["checks"].size(), 16U);
  for (const auto& line : report["checks"]) {
    // Whether the clock of the machine that tests is kept right is not the test's to say.
    if (line["check"] != "clock") {
      EXPECT_EQ(line["result"], "OK") << line;
    }
  }
  for (const char* check :
       {"modules", "device-mapper", "directories", "configuration", "key-store", "socket", "agent", "role", "helper",
        "key-managers", "libvirt", "clock", "memory-lock", "mappings", "attachments", "workers"}) {
    EXPECT_FALSE(Lines(check).empty()) << check;
  }
}

TEST_F(DoctorTest, FaultIsAStatusOfItsOwnWithWhatToDo) {
  Remove("/dev/mapper/control");
  const Result result = Run({"doctor"});
  EXPECT_EQ(result.status, 6);
  EXPECT_EQ(result.err, "volcryptctl: at fault: device-mapper (HOST_FAULT)\n");
  EXPECT_THAT(result.out, HasSubstr("device-mapper  FAULT    /dev/mapper/control does not exist\n"));
  EXPECT_THAT(result.out, HasSubstr("\nWhat to do about device-mapper: run "));
  EXPECT_EQ(Run({"doctor", "-q"}).out, "FAULT\n");
}

TEST_F(DoctorTest, ModuleMayBeLoadedBuiltInOrLoadable) {
  const std::string modules = absl::StrCat("/lib/modules/", ThisHost("").kernel_release);
  Remove("/sys/module/dm_crypt");
  EXPECT_EQ(Of("modules"), "FAULT");
  Write(modules + "/modules.dep", "kernel/drivers/md/dm-crypt.ko.xz: kernel/drivers/md/dm-mod.ko.xz\n");
  EXPECT_EQ(Of("modules"), "WARNING");
  Write(modules + "/modules.builtin", "kernel/drivers/md/dm-crypt.ko\n");
  EXPECT_EQ(Of("modules"), "OK");
}

TEST_F(DoctorTest, DirectoriesAreThereAndClosed) {
  ASSERT_EQ(::chmod(At("/var/lib/volcrypt").c_str(), 0750), 0);
  EXPECT_EQ(Of("directories"), "FAULT");
  ASSERT_EQ(::chmod(At("/var/lib/volcrypt").c_str(), 0700), 0);
  EXPECT_EQ(Of("directories"), "OK");
  ASSERT_EQ(::chown(At("/var/lib/volcrypt-helper").c_str(), 12345, 0), 0);
  EXPECT_EQ(Of("directories"), "FAULT");
  ASSERT_EQ(::chown(At("/var/lib/volcrypt-helper").c_str(), 0, 0), 0);
  Remove("/run/volcrypt-helper/locks");
  EXPECT_EQ(Of("directories"), "FAULT");
}

TEST_F(DoctorTest, ConfigurationIsReadableByTheAgentAndIsToml) {
  Write("/etc/volcrypt/volcryptd.toml", "[log\nlevel = secret\n");
  const auto lines = Lines("configuration");
  EXPECT_EQ(lines.at(0)["result"], "FAULT");
  EXPECT_THAT(std::string(lines.at(0)["found"]), Not(HasSubstr("secret")));
  Write("/etc/volcrypt/volcryptd.toml", "", 0666);
  EXPECT_EQ(Of("configuration"), "FAULT");
  // An agent that is not root, and a file that is root's alone.
  Remove("/proc/100");
  Write("/etc/passwd", "volcrypt:x:12345:12345::/:/bin/sh\n");
  Write("/etc/group", "volcrypt:x:12345:\n");
  Write("/etc/volcrypt/volcryptd.toml", "", 0600);
  EXPECT_EQ(Of("configuration"), "FAULT");
  Write("/etc/volcrypt/volcryptd.toml", "", 0644);
  EXPECT_EQ(Of("configuration"), "OK");
}

TEST_F(DoctorTest, DefaultConfigurationNeedNotExist) {
  Examination patient = Patient();
  patient.config_path = "/etc/volcrypt/volcryptd.toml";
  EXPECT_EQ(CheckConfiguration(patient).at(0).result, volcrypt::ctl::Result::kOk);
}

TEST_F(DoctorTest, WrongFileInVolumesDIsAFaultWithItsPlaceAndTheRemedy) {
  const std::string volume = "device = \"/dev/sdb\"\nkey = \"k\"\n";
  Write("/etc/volcrypt/volumes.d/right.toml", volume);
  EXPECT_EQ(Of("configuration"), "OK");
  Write("/etc/volcrypt/volumes.d/wrong.toml", volume + "frist_use = \"planted\"\n");
  Write("/etc/volcrypt/volumes.d/broken.toml", "device = planted\n");
  std::vector<std::string> faults;
  for (const auto& line : Lines("configuration")) {
    if (line["result"] != "FAULT") continue;
    faults.push_back(line["found"]);
    EXPECT_THAT(std::string(line["remedy"]), HasSubstr("volcryptd --check-config"));
    EXPECT_THAT(std::string(line["remedy"]), HasSubstr("systemctl reload volcryptd"));
  }
  EXPECT_THAT(faults, ElementsAre(At("/etc/volcrypt/volumes.d/broken.toml:1 is wrong"),
                                  At("/etc/volcrypt/volumes.d/wrong.toml:3: frist_use is wrong")));
}

TEST_F(DoctorTest, WrongSettingIsAFault) {
  Write("/etc/volcrypt/volcryptd.toml", "[log]\nlevel = \"planted\"\n");
  EXPECT_EQ(Of("configuration"), "FAULT");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("planted")));
}

TEST_F(DoctorTest, ConfigurationThatNobodyCouldCheckIsAWarning) {
  environment_.agent_program = "/nonexistent/volcryptd";
  EXPECT_EQ(Of("configuration"), "WARNING");
}

TEST_F(DoctorTest, KeyStoreAndItsKeyAreClosed) {
  ASSERT_EQ(::chmod(At("/var/lib/volcrypt/keys.kek").c_str(), 0640), 0);
  EXPECT_EQ(Of("key-store"), "FAULT");
  Remove("/var/lib/volcrypt/keys.kek");
  EXPECT_EQ(Of("key-store"), "OK") << "it may be a credential";
  Write("/etc/volcrypt/volcryptd.d/kek.toml", "[key_managers.local]\ntype = \"local\"\nkek_file = \"/etc/kek\"\n");
  EXPECT_EQ(Of("key-store"), "FAULT");
  Write("/etc/kek", "key of keys", 0600);
  EXPECT_EQ(Of("key-store"), "OK");
  Remove("/var/lib/volcrypt/keys.db");
  EXPECT_EQ(Of("key-store"), "FAULT");
  Write("/etc/volcrypt/volcryptd.d/kek.toml", "[key_managers.k]\ntype = \"kmip\"\n");
  EXPECT_EQ(Of("key-store"), "OK") << "there is none";
}

TEST_F(DoctorTest, WithoutTheAgentTheHostIsStillLookedAt) {
  agent_.Stop();
  const Result result = Run({"doctor"});
  EXPECT_EQ(result.status, 6);
  EXPECT_EQ(result.err, "volcryptctl: at fault: socket, agent (HOST_FAULT)\n");
  EXPECT_EQ(Of("socket"), "FAULT");
  EXPECT_EQ(Of("agent"), "FAULT");
  for (const char* check : {"role", "helper", "key-managers", "libvirt", "attachments"}) {
    EXPECT_EQ(Of(check), "WARNING") << check;
  }
  for (const char* check : {"modules", "mappings", "key-store"}) EXPECT_EQ(Of(check), "OK") << check;
}

TEST_F(DoctorTest, AgentOfAnotherReleaseOrInMaintenanceIsAWarning) {
  v1::GetInfoResponse info;
  info.set_version("99");
  agent_.agent.info.AnswerWith(info);
  EXPECT_EQ(Of("agent"), "WARNING");
  info.set_version(VOLCRYPT_VERSION);
  info.set_maintenance(true);
  agent_.agent.info.AnswerWith(info);
  EXPECT_EQ(Of("agent"), "WARNING");
}

TEST_F(DoctorTest, RoleIsWhatTheCallsAllow) {
  const auto not_allowed = AgentError(grpc::PERMISSION_DENIED, "CALLER_NOT_ALLOWED", "needs admin");
  EXPECT_EQ(Lines("role").at(0)["found"], "this user is admin");
  agent_.keys.check.FailWith(not_allowed);
  EXPECT_EQ(Lines("role").at(0)["found"], "this user is compute");
  EXPECT_EQ(Of("key-managers"), "WARNING");
  agent_.volumes.list.FailWith(not_allowed);
  EXPECT_EQ(Of("role"), "WARNING");
  agent_.agent.info.FailWith(AgentError(grpc::PERMISSION_DENIED, "CALLER_UNKNOWN", "no role"));
  EXPECT_EQ(Of("agent"), "WARNING");
}

TEST_F(DoctorTest, HelperThatIsAwayIsAFault) {
  Health health;
  health.set_status(Health::NOT_SERVING);
  agent_.health.check.AnswerWith(health);
  EXPECT_EQ(Of("helper"), "FAULT");
}

TEST_F(DoctorTest, KeyManagerSaysItsStepAndRemedy) {
  v1::CheckKeyManagerResponse response;
  v1::CheckKeyManagerResponse::Step& step = *response.add_steps();
  step.set_name("connect");
  step.set_detail("refused");
  step.set_remedy("start it");
  agent_.keys.check.AnswerWith(response);
  const auto line = Lines("key-managers").at(0);
  EXPECT_EQ(line["result"], "FAULT");
  EXPECT_THAT(std::string(line["found"]), HasSubstr("connect: refused"));
  EXPECT_EQ(line["remedy"], "start it");
  step.set_passed(true);
  agent_.keys.check.AnswerWith(response);
  EXPECT_EQ(Of("key-managers"), "WARNING");
}

TEST_F(DoctorTest, KeyManagerThatHangsHoldsNothingUp) {
  agent_.keys.check.answer = [](grpc::ServerContext& context, const auto&, auto&) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::CANCELLED;
  };
  const auto lines = Lines("key-managers", {"--timeout", "300ms"});
  EXPECT_EQ(lines.at(0)["result"], "FAULT");
  EXPECT_THAT(std::string(lines.at(0)["found"]), HasSubstr("DEADLINE_EXCEEDED"));
}

TEST_F(DoctorTest, LibvirtThatIsConfiguredMustBeReached) {
  v1::ListAttachmentsResponse list;
  list.add_unreachable("libvirt");
  agent_.volumes.list.AnswerWith(list);
  EXPECT_EQ(Of("libvirt"), "FAULT");
  v1::GetInfoResponse info;
  agent_.agent.info.AnswerWith(info);
  EXPECT_EQ(Lines("libvirt").at(0)["found"], "not configured");
}

TEST_F(DoctorTest, ClockIsSynchronisedAndNotBehindTheAgent) {
  Examination patient = Patient();
  EXPECT_EQ(CheckClock(patient).at(0).result, volcrypt::ctl::Result::kOk);
  patient.host.clock_is_synchronised = false;
  EXPECT_EQ(CheckClock(patient).at(0).result, volcrypt::ctl::Result::kWarning);
  patient.host.now = absl::Now() - absl::Hours(1);
  EXPECT_EQ(CheckClock(patient).at(0).result, volcrypt::ctl::Result::kFault);
}

TEST_F(DoctorTest, AgentMayLockTheMemoryForItsKeys) {
  MakeProcess(100, "volcryptd", "S (sleeping)", "Max locked memory         65536   8388608   bytes");
  EXPECT_EQ(Of("memory-lock"), "FAULT");
  MakeProcess(100, "volcryptd", "S (sleeping)", "Max locked memory         unlimited   unlimited   bytes");
  EXPECT_EQ(Of("memory-lock"), "OK");
  Remove("/proc/100");
  EXPECT_EQ(Of("memory-lock"), "WARNING");
}

TEST_F(DoctorTest, MappingHasItsDeviceAndRuns) {
  MakeMapping("CRYPT-LUKS2-00000000000000000000000000000000-volcrypt-v", "1");
  EXPECT_EQ(Of("mappings"), "FAULT");
  MakeMapping("CRYPT-PLAIN-volcrypt-v", "0");
  EXPECT_EQ(Of("mappings"), "OK");
  Remove(absl::StrCat(kMapping, "/slaves/sdb"));
  EXPECT_EQ(Of("mappings"), "FAULT");
  std::filesystem::create_symlink("../../gone", At(absl::StrCat(kMapping, "/slaves/sdb")));
  EXPECT_EQ(Of("mappings"), "FAULT");
  Remove(absl::StrCat(kMapping, "/slaves/sdb"));
  Write(absl::StrCat(kMapping, "/slaves/loop3/loop/backing_file"), "/volumes/v (deleted)\n");
  EXPECT_EQ(Of("mappings"), "OK") << "somebody else's loop device";
  Write(absl::StrCat(kMapping, "/slaves/loop3/loop/autoclear"), "1\n");
  EXPECT_EQ(Of("mappings"), "FAULT");
  MakeMapping("LVM-something", "0");
  EXPECT_EQ(Of("mappings"), "WARNING");
}

TEST_F(DoctorTest, AttachmentThatIsBrokenOrWaitsIsNamed) {
  v1::ListAttachmentsResponse list;
  *list.add_attachments() = SomeAttachment();
  list.mutable_attachments(0)->set_mode(v1::MODE_LIBVIRT_SECRET);
  list.mutable_attachments(0)->set_state(v1::Attachment::STATE_BROKEN);
  list.mutable_attachments(0)->set_state_reason("the secret is gone");
  agent_.volumes.list.AnswerWith(list);
  EXPECT_EQ(Of("attachments"), "FAULT");
  EXPECT_THAT(std::string(Lines("attachments").at(0)["found"]), HasSubstr("broken: the secret is gone"));
  list.mutable_attachments(0)->set_state(v1::Attachment::STATE_WAITING);
  agent_.volumes.list.AnswerWith(list);
  EXPECT_EQ(Of("attachments"), "WARNING");
  EXPECT_THAT(std::string(Lines("attachments").at(0)["remedy"]), HasSubstr("volumes.d"));
  *list.mutable_attachments(0) = SomeAttachment();
  agent_.volumes.list.AnswerWith(list);
  v1::GetAttachmentResponse one;
  *one.mutable_attachment() = SomeAttachment();
  agent_.volumes.get.AnswerWith(one);
  EXPECT_EQ(Of("attachments"), "OK");
  one.mutable_attachment()->set_state(v1::Attachment::STATE_DETACHING);
  agent_.volumes.get.AnswerWith(one);
  EXPECT_EQ(Of("attachments"), "WARNING");
}

TEST_F(DoctorTest, WorkerThatMakesNoHeadwayIsStuck) {
  Examination patient = Patient();
  patient.host.between_looks = absl::ZeroDuration();
  MakeProcess(200, "volcrypt-worker", "S (sleeping)", "");
  EXPECT_EQ(CheckWorkers(patient).at(0).result, volcrypt::ctl::Result::kOk);
  MakeProcess(200, "volcrypt-worker", "D (disk sleep)", "");
  EXPECT_EQ(CheckWorkers(patient).at(0).result, volcrypt::ctl::Result::kFault);
}

TEST_F(DoctorTest, BundleHasWhatAReportNeedsAndNoSecret) {
  const std::vector<std::string> secrets = {
      "planted-in-a-password",      "planted-in-a-comment", "planted-in-a-url",     "planted-as-a-file",
      "planted-in-a-new-key",       "planted-in-a-drop-in", "planted-in-the-store", "planted-beside-it",
      "planted-in-the-environment", "planted-in-a-list",    "planted-in-the-secret"};
  Write("/etc/volcrypt/volcryptd.toml",
        "# planted-in-a-comment\n[key_managers.b]\ntype = \"barbican\"\nregion = \"harmless-region\"\n"
        "password = \"planted-in-a-password\"\npassword_file = \"planted-as-a-file\"\nkek_file = \"/etc/secret\"\n"
        "auth_url = \"https://u:planted-in-a-url@host/v3?t=planted-in-a-url\"\ntokens = [\"planted-in-a-list\"]\n"
        "of_tomorrow = \"planted-in-a-new-key\"\n[key_managers.local]\ntype = \"local\"\n");
  Write("/etc/volcrypt/volcryptd.d/more.toml", "[key_managers.b.inner]\ntoken = \"planted-in-a-drop-in\"\n");
  Write("/etc/secret", "planted-in-the-secret", 0600);
  Write("/var/lib/volcrypt/keys.db", "planted-in-the-store", 0600);
  Write("/var/lib/volcrypt/keys.kek", "planted-beside-it", 0600);
  ASSERT_EQ(::setenv("VOLCRYPT_TEST_SECRET", "planted-in-the-environment", 1), 0);
  v1::ListAttachmentsResponse list;
  *list.add_attachments() = SomeAttachment();
  agent_.volumes.list.AnswerWith(list);
  const std::string path = directory_.Path("report.tar.gz");
  const Result result = Run({"doctor", "--bundle", path});
  ::unsetenv("VOLCRYPT_TEST_SECRET");
  EXPECT_THAT(result.err, HasSubstr("wrote " + path));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & ALLPERMS, 0600U);
  const auto text = RunProgram({"tar", "-x", "-z", "-O", "-f", path});
  ASSERT_TRUE(text.ok()) << text.status();
  for (const std::string& secret : secrets) EXPECT_THAT(*text, Not(HasSubstr(secret)));
  // The control: what stands right beside the secrets is found.
  for (const char* const shown : {"key_managers.b.region = \"harmless-region\"", "key_managers.b.password = (left out)",
                                  "key_managers.b.password_file = (left out)", "auth_url = \"https://host/v3\"",
                                  "key_managers.b.inner.token = (left out)", kVolume, "\"check\": \"modules\"",
                                  "volcryptctl " VOLCRYPT_VERSION, "not there"}) {
    EXPECT_THAT(*text, HasSubstr(shown));
  }
}

TEST_F(DoctorTest, BundleNeverReplacesAFile) {
  const std::string path = directory_.Path("report.tar.gz");
  std::ofstream(path) << "mine";
  EXPECT_EQ(Run({"doctor", "--bundle", path}).status, 1);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "mine");
  EXPECT_EQ(Run({"doctor", "--bundle", directory_.Path("none/report")}).status, 1);
}

TEST(DoctorDmTableTest, KeysAreZeroedWhateverDmsetupSays) {
  EXPECT_EQ(WithoutKeys("volcrypt-a: 0 2048 crypt aes-xts-plain64 0123456789abcdef 0 8:16 4096\n"
                        "volcrypt-b: 0 2048 crypt aes-xts-plain64 :64:logon:cryptsetup:u-d0 0 8:32 4096\n"
                        "other: 0 2048 crypt aes-xts-plain64 0123456789abcdef 0 8:16 4096\n"
                        "volcrypt-c: 0 2048 verity key key key\n"),
            "volcrypt-a: 0 2048 crypt aes-xts-plain64 0 0 8:16 4096\n"
            "volcrypt-b: 0 2048 crypt aes-xts-plain64 0 0 8:32 4096\n");
}

TEST(DoctorProgramTest, HasABoundALimitAndNothingOfOurEnvironment) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunProgram({"sleep", "600"}, {.timeout = absl::Milliseconds(50)}).status()));
  EXPECT_EQ(RunProgram({"yes"}, {.most = 100})->size(), 100U);
  EXPECT_FALSE(RunProgram({"false"}).ok());
  EXPECT_TRUE(absl::IsNotFound(RunProgram({"no-such-program"}).status()));
  EXPECT_THAT(*RunProgram({"ls", "/nonexistent"}, {.wants_complaints = true}), HasSubstr("/nonexistent"));
  EXPECT_EQ(*RunProgram({"ls", "/"}, {.wants_complaints = true}), "");
  EXPECT_FALSE(RunProgram({"false"}, {.wants_complaints = true}).ok());
  EXPECT_EQ(*RunProgram({"env"}), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
}

}  // namespace
}  // namespace volcrypt::ctl
