#pragma once

// A Jinja template as Hugging Face's chat templates are written: parsed once, rendered any number
// of times, from several threads if wished. docs/chat_templates.md says what is understood.

#include <cstdint>
#include <ctime>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "jinja/text.h"
#include "jinja/value.h"

namespace headway::jinja {

struct Node;

struct RenderLimits {
  int64_t steps = 20'000'000;              // nodes evaluated, items and stretches of 16 bytes read
  int64_t built_bytes = int64_t{1} << 30;  // of all texts and lists made on the way
};

class Template {
 public:
  // Errors: kInvalidInput (no template, with line and column), kUnsupported (a tag that is Jinja's
  // but not understood here).
  static Result<Template> Parse(std::string_view source);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // What the template writes, every byte marked by whether it came out of foreign text among
  // `variables`. `now` is what strftime_now tells. Errors: kInvalidInput with line and column:
  // operations on values that have none, a limit met, the template's own raise_exception;
  // kUnsupported (a filter or test not understood here).
  Result<Text> Render(const Dict& variables, const std::tm& now,
                      const RenderLimits& limits = {}) const;

 private:
  explicit Template(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

}  // namespace headway::jinja
