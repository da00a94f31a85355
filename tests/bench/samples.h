#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace volcrypt::bench {

// Volumes come and go seconds apart, so what a server does between two calls belongs to neither: everybody gets this
// much of a rest first. How calls fare that come all at once is for the node tests.
inline constexpr std::chrono::milliseconds kRest{100};

// Runs `work` and prints one line "sample <who> <what> <milliseconds>", which tests/bench/attach.py collects.
template <typename Work>
void Sample(const std::string& who, const std::string& what, Work&& work) {
  std::this_thread::sleep_for(kRest);
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  std::printf("sample %s %s %.3f\n", who.c_str(), what.c_str(), took.count());
  std::fflush(stdout);
}

// A benchmark that cannot go on ends with what went wrong: figures of a failed run are worth nothing.
[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "attach_bench: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace volcrypt::bench
