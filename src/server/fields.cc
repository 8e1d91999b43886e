#include "server/fields.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace headway::server {
namespace {

// Values are shown as they came, shortened.
std::string Shown(const Json& value) {
  constexpr size_t kMost = 40;
  if (value.is_structured()) return std::string(KindOf(value));
  std::string text = JsonText(value);
  if (text.size() <= kMost) return text;
  return std::string(KindOf(value));
}

}  // namespace

std::string_view KindOf(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  if (value.is_array()) return "an array";
  return "an object";
}

Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (object.is_object()) return;
  error_ = BadField(where_, fmt::format("expected an object, found {}", KindOf(object)));
}

const Json* Fields::Find(std::string_view name) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::PathOf(std::string_view name) const {
  return where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name);
}

void Fields::Wrong(ApiError error) {
  if (!error_) error_ = std::move(error);
}

void Fields::Wrong(std::string_view name, std::string_view expected, std::string_view found) {
  const std::string path = PathOf(name);
  Wrong(BadField(path, fmt::format("{}: expected {}, found {}", path, expected, found)));
}

void Fields::Read(std::string_view name, bool* value) {
  const Json* const found = Find(name);
  if (found == nullptr) return;
  if (!found->is_boolean()) return Wrong(name, "a boolean", Shown(*found));
  *value = found->get<bool>();
}

void Fields::Read(std::string_view name, std::string* value) {
  const Json* const found = Find(name);
  if (found == nullptr) return;
  if (!found->is_string()) return Wrong(name, "a string", Shown(*found));
  *value = found->get_ref<const std::string&>();
}

void Fields::Read(std::string_view name, int64_t* value, int64_t least, int64_t most) {
  const Json* const found = Find(name);
  if (found == nullptr) return;
  // Clients of dynamic languages send 16.0, too.
  const double number = found->is_number() ? found->get<double>() : 0.5;
  const bool fits = number == std::floor(number) && number >= static_cast<double>(least) &&
                    number <= static_cast<double>(most);
  if (!fits) {
    return Wrong(name, fmt::format("a whole number from {} to {}", least, most), Shown(*found));
  }
  *value = found->is_number_integer() ? found->get<int64_t>() : static_cast<int64_t>(number);
}

void Fields::Read(std::string_view name, double* value, double least, double most) {
  const Json* const found = Find(name);
  if (found == nullptr) return;
  const double number = found->is_number() ? found->get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    return Wrong(name, fmt::format("a number from {} to {}", least, most), Shown(*found));
  *value = number;
}

void Fields::Read(std::string_view name, float* value, double least, double most) {
  auto number = static_cast<double>(*value);
  Read(name, &number, least, most);
  *value = static_cast<float>(number);
}

void Fields::Read(std::string_view name, std::vector<std::string>* value) {
  const Json* const found = Find(name);
  if (found == nullptr) return;
  if (found->is_string()) {
    *value = {found->get<std::string>()};
    return;
  }
  if (!found->is_array()) return Wrong(name, "a string or an array of them", Shown(*found));
  value->clear();
  for (const Json& item : *found) {
    if (!item.is_string()) return Wrong(name, "an array of strings", Shown(item));
    value->push_back(item.get<std::string>());
  }
}

}  // namespace headway::server
