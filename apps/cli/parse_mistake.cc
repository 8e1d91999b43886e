#include "parse_mistake.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headway::cli {
namespace {

// The command that was being read, "headway eval perplexity", and its parser.
std::pair<std::string, const CLI::App*> InnermostCommand(const CLI::App& app) {
  std::string name = app.get_name();
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  return {name, command};
}

// What CLI11 found wrong, as what was expected and what was found.
std::string Explain(const CLI::ParseError& error, const CLI::App& app, const CLI::App& command) {
  const std::vector<const CLI::App*> known = command.get_subcommands(nullptr);
  if (!known.empty()) {
    std::string names;
    for (const CLI::App* each : known) names += (names.empty() ? "" : ", ") + each->get_name();
    const std::vector<std::string> rest = command.remaining();
    return fmt::format("expected a command ({}), found {}", names,
                       rest.empty() ? "none" : "'" + rest.front() + "'");
  }
  const std::string_view all(error.what());
  std::string what(all.substr(0, all.find('\n')));
  const std::string option = what.substr(0, what.find(':'));
  // By code: an error's name is sometimes the command's.
  const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (code == CLI::ExitCodes::ExtrasError) {
    std::vector<std::string> rest = app.remaining(true);  // the error has them backwards
    std::erase(rest, "--");
    return fmt::format("unknown argument '{}'", fmt::join(rest, " "));
  }
  if (code == CLI::ExitCodes::RequiredError) {
    return fmt::format("expected {}, found none", what.substr(0, what.find(" is required")));
  }
  if (code != CLI::ExitCodes::ArgumentMismatch) return what;
  const size_t received = what.find("received ");
  if (received == std::string::npos) return fmt::format("{}: expected a value, found none", option);
  return fmt::format("{}: expected once, found {} times", option, what.substr(received + 9));
}

}  // namespace

ParseOutcome Mistake(const CLI::ParseError& error, const CLI::App& app) {
  const auto [name, command] = InnermostCommand(app);
  return {
      .arguments = std::nullopt,
      .exit_status = 2,
      .text = fmt::format("headway: {} (see {} --help)\n", Explain(error, app, *command), name)};
}

}  // namespace headway::cli
