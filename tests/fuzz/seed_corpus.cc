// Writes small valid files for every libFuzzer program, DIRECTORY/<program>/seed_N, so that the
// fuzzers start behind the first checks of each format: seed_corpus DIRECTORY

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "base/file_writer.h"
#include "base/thread_pool.h"
#include "coreml_seeds.h"
#include "gguf_exercise.h"
#include "lmhead/build_planes.h"
#include "manifest/goldens.h"
#include "manifest/manifest.h"
#include "tensor/tensor_view.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

bool WriteSeeds(const std::string& root, const std::string& program,
                const std::vector<std::string>& seeds) {
  const std::string directory = root + "/" + program;
  std::error_code error;
  fs::create_directories(directory, error);
  for (size_t i = 0; i < seeds.size(); ++i) {
    const std::string path = directory + "/seed_" + std::to_string(i);
    if (WriteTextFileAtomically(path, seeds[i])) continue;
    std::fprintf(stderr, "%s: cannot write\n", path.c_str());
    return false;
  }
  return !seeds.empty();
}

std::vector<std::string> GgufFiles() {
  std::vector<std::string> files;
  for (const std::vector<std::byte>& seed : GgufSeeds())
    files.emplace_back(reinterpret_cast<const char*>(seed.data()), seed.size());
  return files;
}

// As grammar_fuzz.cc reads them: the language (odd: a JSON schema), the bytes of the text at the
// end, the grammar, the text.
std::vector<std::string> Grammars() {
  struct Seed {
    char language;
    std::string_view grammar, text;
  };
  constexpr Seed kSeeds[] = {
      {0, "root ::= \"a\" | [b-d]+ root?\n", "bcda"},
      {0, "root ::= item (\",\" item){0,3} # list\nitem ::= [^\\x00-\\x1f\"]* | \"\\u00e9\"\n",
       "x,y"},
      {0, "root ::= ( \"yes\" | \"no\" )? digits\ndigits ::= [0-9]{2,4} .\n", "no123!"},
      {1,
       R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"enum":["x",1,null]}},)"
       R"("required":["a"],"additionalProperties":false})",
       R"({"a": 12, "b": "x"})"},
      {1, R"({"type":"array","items":{"type":"number"},"minItems":1,"maxItems":3})", "[1.5, -2e3]"},
      {1, R"({"anyOf":[{"type":"string","pattern":"^[a-c]{2}$"},{"const":true}]})", "\"ab\""},
      {1, R"({"$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"}}},"$ref":"#/$defs/t"})",
       "[[],[[]]]"},
      {1, R"({"type":"string","format":"date","minLength":3,"maxLength":12})", "\"2026-01-31\""},
      {1, R"({"type":"integer","minimum":-5,"exclusiveMaximum":120})", "119"},
      {1, R"({"oneOf":[{"required":["a"]},{"not":{"multipleOf":0.5}}],"type":["object","number"]})",
       R"({"a": null})"},
      {1, R"({"patternProperties":{"^x":{"contains":{"const":1}}},"unevaluatedProperties":false})",
       R"({"x": [1]})"},
  };
  std::vector<std::string> files;
  for (const Seed& seed : kSeeds) {
    std::string file = {seed.language, static_cast<char>(seed.text.size())};
    files.push_back(file.append(seed.grammar).append(seed.text));
  }
  return files;
}

std::vector<std::string> ServerRequests() {
  return {
      R"({"messages": [{"role": "user", "content": "Hi"}], "stop": ["a"], "n": 2, "seed": 7,
          "temperature": 0.5, "top_p": 0.9, "logprobs": true, "top_logprobs": 2, "max_tokens": 9,
          "logit_bias": {"1": -100}, "stream": true, "stream_options": {"include_usage": true}})",
      R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f",
          "arguments": "{}"}}]}, {"role": "tool", "content": [{"type": "text", "text": "1"}]}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#/x"}}}],
          "tool_choice": "required", "parallel_tool_calls": false, "max_tokens": 1})",
      R"({"input": [{"type": "function_call_output", "output": "1"}], "instructions": "x",
          "text": {"format": {"type": "json_schema", "schema": {}}}})",
      R"({"prompt": [[1, 2], "a"], "best_of": 1, "echo": true, "logit_bias": [[1, false]],
          "response_format": {"type": "json_object"}, "grammar": "root ::= \"a\""})"};
}

// As tokenizer_fuzz.cc reads them: what to do it with, whether to parse special tokens, the text;
// from 192 on a vocabulary first.
std::vector<std::string> TokenizerTexts() {
  std::vector<std::string> files;
  const std::string text =
      "ab  it's 12345 <|end|>\r\n\n\t x=\"y\" é中文 \xE2\x96\x81 e\u0301 👍🏽\xFF/";
  for (const int choice : {0, 3, 14, 15, 22, 32, 33, 39, 40, 41, 42, 43, 44, 46, 49, 50})
    files.push_back(std::string{static_cast<char>(choice), static_cast<char>(choice % 2)} + text);
  files.push_back(std::string("\xC1\x01") + "1a\n1b\n1ab\n3<s>\n4<x>\n a b\n\nab<s>a<x>");
  files.push_back(std::string("\xC0\x01") + "1a\n1\xE2\x96\x81\n6<0x0A>\n2<unk>\n5c\n\na a\nc");
  return files;
}

// As template_fuzz.cc reads them: Jinja that uses its variables.
std::vector<std::string> Templates() {
  return {
      "{% for m in messages %}{{ '<|' + m['role'] + '|>' + (m.content or '') | trim }}{% endfor %}",
      "{%- set ns = namespace(a=1, t='') -%}{% for m in messages[::-1] if m.role != 'user' %}"
      "{%- set ns.t = ns.t ~ loop.index0 ~ m.role.upper() -%}{% else %}-{% endfor %}{{ ns.t }}",
      "{% macro f(a, b=2) %}{{ a }}{{ b * 2 }}{{ caller() if caller }}{% endmacro %}{{ f(1, b=n) }}"
      "{% call f(x) %}y{% endcall %}",
      "{{ tools | tojson(indent=2) }}{{ messages[2].tool_calls | map(attribute='function.name') | "
      "list }}{{ x.split(',', 1)[-1].strip('z')[1:-1] }}",
      "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ {'a': [1, (2,)]} }}"
      "{% if n is odd and x is not none %}{{ n // 2 + n % 2 ** 2 }}{% elif x in 'abc' %}{% endif "
      "%}",
      "{% set y | upper %}a{{ x | replace(' ', '_') }}{% endset %}{% filter indent(2, true) %}{{ y "
      "}}"
      "\n{% endfilter %}{% raw %}{{ }}{% endraw %}{# c #}{% with a = 1 %}{{ a }}{% endwith %}",
      "{% for i in range(9) %}{% if i == 3 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}"
      "{% endif %}{{ loop.cycle('a', 'b') }}{{ '%5.2f|%s' % (i / 3, x) }}{% endfor %}",
      "{{ x | title }}{{ [3, 1, 2] | sort(reverse=true) | join(', ') }}{{ {'b': 1} | dictsort }}"
      "{{ x.replace('z', '') | int(7) }}{{ 1.5 | round | string ~ [x] | unique | first }}",
  };
}

std::vector<std::string> GoldensFiles(const std::string& directory) {
  Goldens goldens;
  goldens.device = "cpu";
  goldens.num_layers = 1;
  goldens.hidden_size = 2;
  goldens.vocab_size = 3;
  goldens.ids = {2, 0};
  goldens.hidden.assign(2 * 2 * 2, 0.5F);
  goldens.logits.assign(2 * 3, -1.0F);
  goldens.final_gain.assign(2, 1.0F);
  goldens.reference_hidden.assign(2 * 2, 0.25F);
  goldens.reference_logits.assign(2 * 3, 2.0F);
  std::vector<std::string> files;
  for (const bool with_norms : {false, true}) {
    goldens.products = {{.weight = "w", .rows = 2, .columns = 2, .y = {1, 2, 3, 4}}};
    if (with_norms) goldens.products.front().norms = {5, 6};
    if (!WriteGoldens(goldens, directory)) return {};
    const std::string path = directory + "/" + kGoldensFileName;
    auto bytes = ReadTextFile(path, 1 << 20);
    if (!bytes) return {};
    files.push_back(*std::move(bytes));
    ::unlink(path.c_str());
  }
  return files;
}

std::vector<std::string> PlanesFiles() {
  std::vector<std::string> files;
  ThreadPool pool(1);
  for (const int64_t rows : {1, 70}) {
    constexpr int64_t kChannels = 64;
    std::vector<float> weights(static_cast<size_t>(rows * kChannels));
    for (size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(static_cast<int>(i * 7919 % 201) - 100) / 64.0F;
    const ConstTensorView view{.type = DataType::kF32,
                               .shape = {rows, kChannels},
                               .row_stride_bytes = kChannels * 4,
                               .data = reinterpret_cast<const std::byte*>(weights.data()),
                               .name = "head"};
    const auto planes = lmhead::BuildPlanes(view,
                                            {.seed = lmhead::RotationSeed::FromNumber(1),
                                             .most_directions = 1,
                                             .rows_digest = std::string(32, '0')},
                                            &pool);
    if (!planes) return {};
    files.emplace_back(reinterpret_cast<const char*>(planes->data()), planes->SizeBytes());
  }
  return files;
}

// As manifest_fuzz.cc reads them.
std::vector<std::string> Manifests() {
  Manifest manifest;
  manifest.producer = "headway test";
  manifest.source_file = "m.gguf";
  manifest.source_digest = "all:00";
  manifest.device = "cpu";
  manifest.model.architecture = "phi3";
  manifest.model.num_hidden_layers = 1;
  manifest.model.vocab_size = 4;
  manifest.model.rotary_dim = 4;
  manifest.model.rope_short_factors = {1.0F, 1.5F};
  manifest.tokenizer = {.path = "t.gguf", .bytes = 3, .digest = "aa", .blocks = "00"};
  manifest.layers.push_back(
      {.start = 0, .end = 1, .file = {.path = "l", .bytes = 1, .digest = "bb"}});
  HeadSpec head{.kind = "full:1", .shards = {}};
  head.shards.push_back({.shard_index = 0,
                         .vocab_start = 0,
                         .vocab_end = 4,
                         .file = {.path = "h", .bytes = 1, .digest = "c"}});
  manifest.heads.push_back(head);
  std::vector<std::string> files = {ToJson(manifest)};
  manifest.heads[0].planes = FileEntry{.path = "p", .bytes = 1, .digest = "d"};
  manifest.heads[0].first =
      FirstRows{.file = {.path = "f", .bytes = 1, .digest = "e"}, .ids = {1, 3}};
  manifest.model.global_layers = {0};
  manifest.model.biases = {"attn_q"};
  manifest.gates.push_back(
      {.gate = "residency", .passed = true, .basis = "measured", .detail = "1"});
  files.push_back(ToJson(manifest));
  return files;
}

// As shard_fuzz.cc reads them.
std::vector<std::string> Shards() {
  return {
      "weight w Q8_0 40 64 0\nweight g F32 - 64 0\ninput x 64\nn 64 = rms_norm @0 x g eps=1e-06\n"
      "y 40 = linear @0 n w\nm 1 = block_max @0 y rows=64\noutput m\n",
      "weight e F16 100 32 0\nids t\nx 32 = embedding @-1 t e\noutput x\n",
      "weight q F32 96 32 0\ninput x 32\nqkv 96 = linear @0 x q\nq0 32 = slice @0 qkv begin=0 "
      "end=32\n"
      "k0 32 = slice @0 qkv begin=32 end=64\nv0 32 = slice @0 qkv begin=64 end=96\n"
      "q1 32 = rotary @0 q0 pairs=0 n_rot=16 head_dim=16\nk1 32 = rotary @0 k0 pairs=0 n_rot=16 "
      "head_dim=16\na 32 = attention @0 q1 k1 v0 layer=0 heads=2 kv_heads=2 head_dim=16 window=0 "
      "scale=0.25\ny 32 = add @0 x a\noutput y\n"};
}

}  // namespace
}  // namespace headway

int main(int argc, char** argv) {
  using namespace headway;
  if (argc != 2) {
    std::fprintf(stderr, "usage: seed_corpus DIRECTORY\n");
    return 2;
  }
  const std::string root = argv[1];
  std::error_code error;
  fs::create_directories(root, error);
  const CoremlSeeds coreml = MakeCoremlSeeds();
  const bool written =
      WriteSeeds(root, "gguf_fuzz", GgufFiles()) && WriteSeeds(root, "grammar_fuzz", Grammars()) &&
      WriteSeeds(root, "server_request_fuzz", ServerRequests()) &&
      WriteSeeds(root, "template_fuzz", Templates()) &&
      WriteSeeds(root, "goldens_fuzz", GoldensFiles(root)) &&
      WriteSeeds(root, "manifest_fuzz", Manifests()) && WriteSeeds(root, "shard_fuzz", Shards()) &&
      WriteSeeds(root, "planes_fuzz", PlanesFiles()) &&
      WriteSeeds(root, "tokenizer_fuzz", TokenizerTexts()) &&
      WriteSeeds(root, "coreml_model_fuzz", coreml.models) &&
      WriteSeeds(root, "coreml_weights_fuzz", coreml.weights) &&
      WriteSeeds(root, "coreml_manifest_fuzz", coreml.manifests);
  return written ? 0 : 1;
}
