#include "agent/message_id.h"

#include <array>

namespace volcrypt {
namespace {

struct Row {
  std::string_view reason;
  std::string_view id;
};

// Random numbers, made once each (systemd-id128 new); an id never changes its meaning.
constexpr std::array<Row, 27> kRows = {{
    {"DEVICE_NOT_BLANK", "708501e3f17145afb378dac57082cf68"},
    {"HEADER_DAMAGED", "9f0745351b6c4cabacc7039635468a16"},
    {"VOLUME_HEADER_LOST", "3e4d4164117c405ca85ead52caf828c2"},
    {"FORMAT_INCOMPLETE", "c5b52804a4c44a87ae0025ac507f8911"},
    {"VOLUME_ERASED", "319e2c22c1f343cb9dc11a78db253c44"},
    {"HEADER_MISMATCH", "a3429391c1224feb959573e0746b7b90"},
    {"HEADER_REFUSED", "c62f50b4207c4698b41c5f9e2f539eeb"},
    {"STATE_NOT_WRITABLE", "f67b3810809e4b02ba4292f91974f7e6"},
    {"KERNEL_UNSUPPORTED", "7acbea76169e40529d451ea585655bf8"},
    {"KEY_NOT_FOUND", "af0227fc59604431855d178e31e86add"},
    {"KEY_ACCESS_DENIED", "5adde10242c64f52b945a474c7dc5d7f"},
    {"KEY_REJECTED", "c9e542f9aeb747e0af3b84501069e1ac"},
    {"KEY_UNFIT", "c13a427ad57743f296f20f22c351f478"},
    {"KEY_MANAGER_UNAVAILABLE", "fad18e5de549498e840908c2a6666b72"},
    {"KEY_MANAGER_TIMED_OUT", "ffbc41e5fc974ea5a601db34e2ea63f2"},
    {"LIBVIRT_UNAVAILABLE", "a05997d55f5d4126978e539c20bd0d28"},
    {"HELPER_UNAVAILABLE", "81cb2896ece24f14a019f64bebc2f860"},
    {"DEVICE_IO_ERROR", "0e098979b3e14ff5ba683ef8e78171ae"},
    {"DEVICE_TIMED_OUT", "44e8d98786eb4ef6814234a8edd473da"},
    {"CALLER_UNKNOWN", "b6f7c15c4ccb417284b73ad68e4ffd49"},
    {"CALLER_NOT_ALLOWED", "09f00a3288364850b57634035c9ca030"},
    {"VOLUME_NOT_FORMATTED", "2bda16061b634073b980b67646a05784"},
    {"DEVICE_NOT_FOUND", "04186cd282f946f6827faa3857a1043c"},
    {"DEVICE_TOO_SMALL", "315bc09285ec49788d754c72a60ea769"},
    {"DEVICE_READ_ONLY", "625b8a48f9344ad6bdbc3379b8234f1f"},
    {"OUT_OF_MEMORY", "34a11847265c43a2b5c05019af168e53"},
    {"WORKER_FAILED", "8e6ed360635149f6a12c120f3dec837c"},
}};

}  // namespace

std::string_view MessageIdOf(std::string_view reason) {
  for (const Row& row : kRows) {
    if (row.reason == reason) return row.id;
  }
  return {};
}

}  // namespace volcrypt
