#pragma once

// Reads the members of a JSON object into values of their types. The first one that is wrong is
// remembered; what is unknown is ignored, as OpenAI's servers do.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/json.h"

namespace headway::server {

// "a string", "a number", ... of a value, for messages.
std::string_view KindOf(const Json& value);

class Fields {
 public:
  // `where` is put before names in errors: "messages[2]". `object` must outlive this; one that is no
  // object is the first mistake.
  explicit Fields(const Json& object, std::string where = {});

  // Null: absent, or null.
  const Json* Find(std::string_view name) const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }

  // Values stay as they are where the member is absent or null.
  void Read(std::string_view name, bool* value);
  void Read(std::string_view name, std::string* value);
  void Read(std::string_view name, int64_t* value, int64_t least, int64_t most);
  void Read(std::string_view name, double* value, double least, double most);
  void Read(std::string_view name, float* value, double least, double most);
  // A string, or a list of them.
  void Read(std::string_view name, std::vector<std::string>* value);

  // Remembers `found` for what `name` should be.
  void Wrong(std::string_view name, std::string_view expected, std::string_view found);
  void Wrong(ApiError error);
  // "messages[2].content"
  std::string PathOf(std::string_view name) const;

  bool Good() const { return !error_; }
  // Good: no error.
  const std::optional<ApiError>& Mistake() const { return error_; }

 private:
  const Json& object_;
  const std::string where_;
  std::optional<ApiError> error_;
};

}  // namespace headway::server
