#pragma once

#include <chrono>
#include <thread>

namespace volcrypt {

// Looks again until it holds; false when it does not within half a minute: only a failing test waits that long.
template <typename Condition>
bool Eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace volcrypt
