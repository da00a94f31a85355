#pragma once

#include <string>
#include <vector>

namespace volcrypt::bench {

// Runs a program to its end with `input` on its standard input and its output thrown away; it must succeed.
void RunProgram(const std::vector<std::string>& command, const std::string& input = "");

}  // namespace volcrypt::bench
