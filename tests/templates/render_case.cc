#include "render_case.h"

namespace headway {

Result<jinja::Text> RenderCase(const jinja::Template& program, const jinja::Dict& variables) {
  std::tm now{};
  now.tm_year = 126;
  now.tm_mday = 2;
  now.tm_hour = 3;
  now.tm_min = 4;
  now.tm_sec = 5;
  now.tm_wday = 5;
  now.tm_yday = 1;
  return program.Render(variables, now);
}

}  // namespace headway
