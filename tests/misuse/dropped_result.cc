// Must not compile: an error nobody looks at.
#include "headway/engine.h"

int main() { headway::Engine::Open("model.gguf", {}); }
