// Compiles: what the other files here do wrong, done right.
#include "headway/engine.h"

int main() {
  auto engine = headway::Engine::Open("model.gguf", {});
  if (!engine) return 2;
  const headway::Engine moved = std::move(*engine);
  const headway::Result<std::vector<int32_t>> ids = moved.Encode("text");
  return ids && !ids->empty() ? 0 : 1;
}
