#include "jinja/template.h"

#include <utility>

#include "jinja/evaluator.h"
#include "jinja/parser.h"

namespace headway::jinja {

Template::Template(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::Parse(std::string_view source) {
  HW_TRY(NodePtr root, ParseTemplate(source));
  return Template(std::move(root));
}

Result<Text> Template::Render(const Dict& variables, const std::tm& now,
                              const RenderLimits& limits) const {
  Context context{.budget = {.steps = limits.steps, .bytes = limits.built_bytes}, .now = now};
  return Evaluator(variables, &context).Run(*root_);
}

}  // namespace headway::jinja
