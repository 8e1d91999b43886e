#pragma once

// The options of each command, entered into its parser: run_options.cc, package_options.cc, serve_options.cc,
// measure_options.cc, grammar_options.cc, cache_options.cc. These files, arguments.cc and parse_mistake.cc are the ones that see CLI11.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>

#include "arguments.h"
#include "base/from_chars.h"

namespace headway::cli {

template <class T>
CLI::Validator IsNumber() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        T parsed{};
        const auto [end, error] = FromChars(text.data(), text.data() + text.size(), parsed);
        if (error == std::errc{} && end == text.data() + text.size()) return "";
        if (std::is_floating_point_v<T>) return fmt::format("expected a number, found '{}'", text);
        return fmt::format("expected a whole number{}{}, found '{}'",
                           std::is_unsigned_v<T> ? " from 0" : "",
                           error == std::errc::result_out_of_range ? " that is smaller" : "", text);
      },
      "");
}

// An option whose text must be a T and nothing else, so that every option says what it expected in
// the same words. CLI11 alone would take "-1" for a count (as 2^64 - 1).
template <class T>
CLI::Option* AddNumber(CLI::App* app, const std::string& names, T* value, const std::string& what) {
  return app->add_option(names, *value, what)->capture_default_str()->check(IsNumber<T>());
}
// The same for one that may be absent.
template <class T>
CLI::Option* AddNumber(CLI::App* app, const std::string& names, std::optional<T>* value,
                       const std::string& what) {
  return app->add_option(names, *value, what)->check(IsNumber<T>());
}

// --compute-units
void AddComputeUnits(CLI::App* app, std::string* units);
// --load
void AddLoad(CLI::App* app, std::string* load);
// --kv
void AddKv(CLI::App* app, std::string* kv);

// --hosts, --hosts-timeout
void AddHosts(CLI::App* app, HostsArguments* hosts);

void AddRun(CLI::App* app, RunArguments* run);

void AddPack(CLI::App* app, PackArguments* pack);
void AddGrammar(CLI::App* app, GrammarArguments* grammar);
void AddGate(CLI::App* app, GateArguments* gate);
void AddCache(CLI::App* app, CacheArguments* cache);
void AddSynth(CLI::App* app, SynthArguments* synth);
void AddInspect(CLI::App* app, InspectArguments* inspect);

void AddBench(CLI::App* app, BenchArguments* bench);
void AddEval(CLI::App* app, EvalArguments* eval);
void AddServe(CLI::App* app, ServeArguments* serve);
void AddLab(CLI::App* app, LabArguments* lab);

}  // namespace headway::cli
