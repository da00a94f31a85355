#include "agent/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

absl::Status ErrnoError(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", strerror(errno)));
}

std::vector<gid_t> GroupsOf(const passwd& entry) {
  std::vector<gid_t> groups(64);
  for (;;) {
    int count = static_cast<int>(groups.size());
    const int result = getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count);
    groups.resize(static_cast<size_t>(count));
    if (result >= 0) return groups;
  }
}

bool IsOnly(const Account& account) {
  uid_t real_uid = 0;
  uid_t effective_uid = 0;
  uid_t saved_uid = 0;
  gid_t real_gid = 0;
  gid_t effective_gid = 0;
  gid_t saved_gid = 0;
  if (getresuid(&real_uid, &effective_uid, &saved_uid) != 0) return false;
  if (getresgid(&real_gid, &effective_gid, &saved_gid) != 0) return false;
  return real_uid == account.uid && effective_uid == account.uid && saved_uid == account.uid &&
         real_gid == account.gid && effective_gid == account.gid && saved_gid == account.gid;
}

}  // namespace

std::optional<Account> FindAccount(const std::string& name) {
  // Start-up has one thread, so the static result of getpwnam is safe.
  const passwd* const entry = getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  return Account{.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid, .groups = GroupsOf(*entry)};
}

absl::Status BecomeAccount(const Account& account) {
  if (setgroups(account.groups.size(), account.groups.data()) != 0) return ErrnoError("setgroups");
  if (setresgid(account.gid, account.gid, account.gid) != 0) return ErrnoError("setresgid");
  if (setresuid(account.uid, account.uid, account.uid) != 0) return ErrnoError("setresuid");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoError("PR_SET_NO_NEW_PRIVS");
  const bool way_back = account.uid != 0 && (setresuid(0, 0, 0) == 0 || seteuid(0) == 0);
  if (way_back || !IsOnly(account)) {
    return absl::InternalError(absl::StrCat("gave up root for ", account.name, ", and could still be root"));
  }
  return absl::OkStatus();
}

absl::Status ForbidDumps() {
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return ErrnoError("RLIMIT_CORE");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoError("PR_SET_DUMPABLE");
  return absl::OkStatus();
}

ActAs::ActAs(const Account& account) : uid_(geteuid()), gid_(getegid()) {
  if (setegid(account.gid) != 0) {
    status_ = ErrnoError(absl::StrCat("cannot act as group of ", account.name));
  } else if (seteuid(account.uid) != 0) {
    status_ = ErrnoError(absl::StrCat("cannot act as ", account.name));
  }
}

ActAs::~ActAs() {
  // The user first: only root may change the group back. Going on as somebody else would be worse than ending.
  if (seteuid(uid_) != 0 || setegid(gid_) != 0) std::abort();
}

absl::Status PrepareDirectory(const std::string& path, mode_t mode, const Account& owner) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return ErrnoError(absl::StrCat(path, ": mkdir"));
  const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!directory.IsValid() || fstat(directory.Get(), &status) != 0) return ErrnoError(path);
  if (status.st_uid == owner.uid || status.st_uid != 0) return absl::OkStatus();
  if (fchown(directory.Get(), owner.uid, owner.gid) != 0) return ErrnoError(absl::StrCat(path, ": chown"));
  if (fchmod(directory.Get(), mode) != 0) return ErrnoError(absl::StrCat(path, ": chmod"));
  return absl::OkStatus();
}

}  // namespace volcrypt
