#pragma once

// Ctrl-C as a flag that long work looks at between its steps.

#include <atomic>
#include <string>

namespace headway::cli {

// Installs the handler and returns the flag that it sets. The first Ctrl-C asks for a clean stop;
// the second ends the process the usual way.
std::atomic<bool>* CatchInterrupts();

// SIGTERM sets the same flag, and ends the process the second time.
void CatchTermination();

// From now on SIGTERM prints `text` on stderr and ends the process with status 2.
void ReportTermination(const std::string& text);

}  // namespace headway::cli
