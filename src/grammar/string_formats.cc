#include "grammar/string_formats.h"

#include <fmt/format.h>

#include <string>

#include "grammar/number_sets.h"
#include "grammar/pattern.h"

namespace headway::grammar {
namespace {

// RFC 3339. The 29th of February in years that 4 divides, of whole centuries those that 400 does.
// 23:59:60 only in UTC.
constexpr const char* kDate =
    "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"
    "02-(0[1-9]|1\\d|2[0-8]))|"
    "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
constexpr const char* kTime =
    "(([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,20})?([Zz]|[+-]([01]\\d|2[0-3]):[0-5]\\d)|"
    "23:59:60(\\.\\d{1,20})?[Zz])";
// ISO 8601 as RFC 3339 appendix A has it: no unit is left out between two others.
constexpr const char* kDuration =
    "P(\\d+W|(\\d+Y(\\d+M(\\d+D)?)?|\\d+M(\\d+D)?|\\d+D)(T{0})?|T{0})";
constexpr const char* kDurationTime = "(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)";
constexpr const char* kIpv4 =
    "((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3})";
// RFC 5321, quoted local parts and addresses in brackets included.
constexpr const char* kAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
constexpr const char* kLabel = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
// RFC 3986
constexpr const char* kPathCharacter = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";

// RFC 4291: up to eight groups, one run of them left out, the last two perhaps as IPv4.
std::string Ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  const std::string tail = fmt::format("({0}:{0}|{1})", group, kIpv4);
  std::string all = fmt::format("({0}:){{6}}{1}", group, tail);
  for (int before = 0; before <= 7; ++before) {
    const std::string head =
        before == 0 ? "" : fmt::format("({0}(:{0}){{0,{1}}})?", group, before - 1);
    const int after = 7 - before;  // groups that may follow
    const std::string begin = fmt::format("|{}::", head);
    if (after >= 2) all += fmt::format("{}({}:){{{}}}{}", begin, group, after - 2, tail);
    if (after == 1) all += begin + group;
    if (after == 0) all += begin;
  }
  return fmt::format("({})", all);
}

std::string Email() {
  const std::string local = fmt::format("({0}(\\.{0})*|\"([ !#-\\[\\]-~]|\\\\[ -~])*\")", kAtom);
  return fmt::format("{}@({}(\\.{})*|\\[{}\\]|\\[IPv6:{}\\])", local, kLabel, kLabel, kIpv4,
                     Ipv6());
}

std::string Uri() {
  const std::string p = kPathCharacter;
  const std::string name = "([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*";
  const std::string user = "([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*";
  const std::string host =
      fmt::format("(\\[({}|v[0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]|{})", Ipv6(), name);
  return fmt::format(
      "[A-Za-z][A-Za-z0-9+.-]*:(//({1}@)?{2}(:\\d*)?(/{0}*)*|/({0}+(/{0}*)*)?|{0}+(/{0}*)*|)"
      "(\\?({0}|[/?])*)?(#({0}|[/?])*)?",
      p, user, host);
}

std::string PatternOf(std::string_view format) {
  if (format == "date") return kDate;
  if (format == "time") return kTime;
  if (format == "date-time") return fmt::format("{}[Tt]{}", kDate, kTime);
  if (format == "duration") return fmt::format(fmt::runtime(kDuration), kDurationTime);
  if (format == "uuid")
    return "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
  if (format == "ipv4") return kIpv4;
  if (format == "ipv6") return Ipv6();
  if (format == "email") return Email();
  if (format == "uri") return Uri();
  if (format == "json-pointer") return "(/([^~/]|~[01])*)*";
  return "";
}

struct IntegerType {
  std::string_view name;
  const char* least;
  const char* most;
};
constexpr IntegerType kIntegerTypes[] = {
    {"int8", "-128", "127"},
    {"int16", "-32768", "32767"},
    {"int32", "-2147483648", "2147483647"},
    {"int64", "-9223372036854775808", "9223372036854775807"},
    {"uint8", "0", "255"},
    {"uint16", "0", "65535"},
    {"uint32", "0", "4294967295"},
    {"uint64", "0", "18446744073709551615"},
    {"uint", "0", "18446744073709551615"},
};

}  // namespace

Result<DfaPointer> StringFormat(std::string_view format) {
  const std::string pattern = PatternOf(format);
  if (pattern.empty()) return DfaPointer();
  // `[^~/]` and `.` know no line ends here: anchored, the whole string is what must fit.
  return TextsMatching(fmt::format("^({})$", pattern));
}

Result<DfaPointer> NumberFormat(std::string_view format) {
  for (const IntegerType& type : kIntegerTypes) {
    if (type.name != format) continue;
    HW_TRY(const Decimal least, ParseDecimal(type.least));
    HW_TRY(const Decimal most, ParseDecimal(type.most));
    return Combine(NumbersFrom(least, false), NumbersTo(most, false), kAnd);
  }
  return DfaPointer();
}

}  // namespace headway::grammar
