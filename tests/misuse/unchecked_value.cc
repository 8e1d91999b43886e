// Must not compile: a Result is not its value.
#include "headway/engine.h"

int main() {
  const headway::Engine engine = headway::Engine::Open("model.gguf", {});
  return engine.Summary().threads;
}
