// Models, texts and steps.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <tuple>
#include <utility>

#include "bindings.h"
#include "handles.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "x"_a

namespace headway::python {
namespace {

using Ids = std::vector<int32_t>;

struct OpenOptions {
  std::string instruction_set, topology, head, usage_text, cache_directory, draft_model,
      compute_units;
};

void Open(Engine* self, const std::string& path, const OpenOptions& texts, int threads, int load,
          bool verify, bool show_progress, const nb::object& progress) {
  const CancelHandle cancel = NewCancel();
  headway_open_options options = {};
  options.size = sizeof(options);
  options.instruction_set = texts.instruction_set.c_str();
  options.topology = texts.topology.c_str();
  options.head = texts.head.c_str();
  options.usage_text = texts.usage_text.c_str();
  options.cache_directory = texts.cache_directory.c_str();
  options.draft_model = texts.draft_model.c_str();
  options.compute_units = texts.compute_units.c_str();
  options.cancel = cancel.get();
  options.threads = threads;
  options.load = load;
  options.verify_contents = verify ? 1 : 0;
  options.show_progress = show_progress ? 1 : 0;
  EngineHandle handle;  // goes with an exception
  const bool tells = !progress.is_none();
  CheckInterruptible(
      cancel.get(),
      [&](Meeting* meeting) {
        options.user = meeting;
        options.progress = tells ? &Meeting::Tell : nullptr;
        headway_engine* engine = nullptr;
        const headway_status status = headway_open(path.c_str(), &options, &engine);
        handle.reset(engine);
        return status;
      },
      progress);
  new (self) Engine{.handle = std::move(handle)};
}

nb::dict Describe(const Engine& engine) {
  headway_summary s = {};
  s.size = sizeof(s);
  Check(headway_describe(engine.handle.get(), &s));
  nb::dict out;
  out["name"] = s.name;
  out["architecture"] = s.architecture;
  out["package_directory"] = s.package_directory;
  out["device"] = s.device;
  out["instruction_set"] = s.instruction_set;
  out["head"] = s.head;
  out["head_choice"] = s.head_choice;
  out["topology"] = s.topology;
  out["chat_format"] = s.chat_format;
  out["context_tokens"] = s.context_tokens;
  out["vocab_size"] = s.vocab_size;
  out["hidden_size"] = s.hidden_size;
  out["weight_bytes_per_token"] = s.weight_bytes_per_token;
  out["head_bytes"] = s.head_bytes;
  out["max_rows"] = s.max_rows;
  out["threads"] = s.threads;
  out["bos_token"] = s.bos_token;
  out["eos_token"] = s.eos_token;
  out["has_logits"] = s.has_logits != 0;
  out["chat_template"] = s.chat_template;
  out["max_position_embeddings"] = s.max_position_embeddings;
  out["is_interpreted"] = s.is_interpreted != 0;
  return out;
}

Ids Tokenize(const Engine& engine, const nb::bytes& text, uint32_t flags) {
  const char* const bytes = text.c_str();
  const size_t num_bytes = text.size();
  return ReadList<int32_t>(num_bytes / 2 + 16, [&](int32_t* ids, size_t capacity, size_t* count) {
    return headway_tokenize(engine.handle.get(), bytes, num_bytes, flags, ids, capacity, count);
  });
}

headway_chat_options ChatOptionsOf(const std::string& tools, const std::string& variables,
                                   const std::string& chat_template, bool add_generation_prompt) {
  headway_chat_options options = {};
  options.size = sizeof(options);
  options.tools_json = tools.c_str();
  options.variables_json = variables.c_str();
  options.chat_template = chat_template.c_str();
  options.no_generation_prompt = add_generation_prompt ? 0 : 1;
  return options;
}

std::string RenderChat(const Engine& engine, const std::string& messages, const std::string& tools,
                       const std::string& variables, const std::string& chat_template,
                       bool add_generation_prompt) {
  const headway_chat_options options =
      ChatOptionsOf(tools, variables, chat_template, add_generation_prompt);
  const size_t room = messages.size() + 4096;
  const auto text = ReadList<char>(room, [&](char* out, size_t capacity, size_t* count) {
    return headway_render_chat(engine.handle.get(), messages.c_str(), &options, out, capacity,
                               count);
  });
  return std::string(text.begin(), text.end());
}

Ids TokenizeChat(const Engine& engine, const std::string& messages, const std::string& tools,
                 const std::string& variables, const std::string& chat_template,
                 bool add_generation_prompt) {
  const headway_chat_options options =
      ChatOptionsOf(tools, variables, chat_template, add_generation_prompt);
  const size_t room = messages.size() + 4096;
  return ReadList<int32_t>(room, [&](int32_t* ids, size_t capacity, size_t* count) {
    return headway_tokenize_chat(engine.handle.get(), messages.c_str(), &options, ids, capacity,
                                 count);
  });
}

nb::bytes Detokenize(const Engine& engine, const Ids& ids, bool keep_special) {
  const size_t room = 16 * ids.size();
  const auto text = ReadList<char>(room, [&](char* out, size_t capacity, size_t* count) {
    return headway_detokenize(engine.handle.get(), ids.data(), ids.size(),
                              keep_special ? HEADWAY_KEEP_SPECIAL : 0, out, capacity, count);
  });
  return nb::bytes(text.data(), text.size());
}

bool IsEnd(const Engine& engine, int32_t id) {
  int32_t is_end = 0;
  Check(headway_is_end_token(engine.handle.get(), id, &is_end));
  return is_end != 0;
}

using Row = std::tuple<Sequence*, std::optional<Ids>, int64_t>;

// Statuses and numbers of choices, by row. Errors of rows are their own; others are raised.
std::vector<std::tuple<int32_t, int32_t>> Step(Engine* engine, const std::vector<Row>& given) {
  std::vector<headway_row> rows(given.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& [sequence, drafts, read_tokens] = given[i];
    rows[i].size = sizeof(headway_row);
    rows[i].sequence = sequence->handle.get();
    if (drafts) rows[i].drafts = drafts->data();
    if (drafts) rows[i].num_drafts = drafts->size();
    rows[i].read_tokens = read_tokens;
    rows[i].status = -1;
  }
  headway_status status = HEADWAY_OK;
  std::string text;
  {
    const nb::gil_scoped_release unlocked;
    status = headway_step(engine->handle.get(), rows.data(), rows.size());
    if (status != HEADWAY_OK) text = headway_error_text();
  }
  std::vector<std::tuple<int32_t, int32_t>> outcomes;
  bool ran = false;
  for (const headway_row& row : rows) {
    ran = ran || row.status != -1;
    outcomes.emplace_back(row.status, row.num_choices);
  }
  if (status != HEADWAY_OK && !ran) throw Failure{status, text};
  return outcomes;
}

std::string ToText(const char* text, size_t num_bytes) { return std::string(text, num_bytes); }

}  // namespace

void BindEngine(nb::module_& module) {
  nb::class_<Engine>(module, "Engine")
      .def(
          "__init__",
          [](Engine* self, const std::string& path, const std::string& instruction_set,
             const std::string& topology, const std::string& head, const std::string& usage_text,
             const std::string& cache_directory, const std::string& draft_model,
             const std::string& compute_units, int threads, int load, bool verify,
             bool show_progress, const nb::object& progress) {
            Open(self, path,
                 {.instruction_set = instruction_set,
                  .topology = topology,
                  .head = head,
                  .usage_text = usage_text,
                  .cache_directory = cache_directory,
                  .draft_model = draft_model,
                  .compute_units = compute_units},
                 threads, load, verify, show_progress, progress);
          },
          "path"_a, nb::kw_only(), "instruction_set"_a = "", "topology"_a = "", "head"_a = "",
          "usage_text"_a = "", "cache_directory"_a = "", "draft_model"_a = "",
          "compute_units"_a = "", "threads"_a = 0, "load"_a = 0, "verify"_a = false,
          "show_progress"_a = false, "progress"_a = nb::none())
      .def("describe", &Describe)
      .def("tokenize", &Tokenize, "text"_a, "flags"_a = 0)
      .def("tokenize_chat", &TokenizeChat, "messages"_a, "tools"_a = "", "variables"_a = "",
           "chat_template"_a = "", "add_generation_prompt"_a = true)
      .def("render_chat", &RenderChat, "messages"_a, "tools"_a = "", "variables"_a = "",
           "chat_template"_a = "", "add_generation_prompt"_a = true)
      .def("detokenize", &Detokenize, "ids"_a, "keep_special"_a = false)
      .def("is_end", &IsEnd, "id"_a)
      .def("step", &Step, "rows"_a);
  nb::class_<Stream>(module, "Stream")
      .def(
          "__init__",
          [](Stream* self, const Engine& engine, bool at_start,
             const std::vector<std::string>& stops) {
            std::vector<const char*> texts;
            for (const std::string& stop : stops) texts.push_back(stop.c_str());
            headway_stream* stream = nullptr;
            Check(headway_stream_new(engine.handle.get(), at_start ? 1 : 0, texts.data(),
                                     texts.size(), &stream));
            new (self) Stream{.handle = StreamHandle(stream)};
          },
          "engine"_a, "at_start"_a = false, "stops"_a = std::vector<std::string>())
      .def(
          "push",
          [](Stream* self, int32_t id) {
            const char* text = nullptr;
            size_t num_bytes = 0;
            Check(headway_stream_push(self->handle.get(), id, &text, &num_bytes));
            return ToText(text, num_bytes);
          },
          "id"_a)
      .def("stopped",
           [](const Stream& self) {
             int32_t stopped = 0;
             Check(headway_stream_stopped(self.handle.get(), &stopped));
             return stopped != 0;
           })
      .def("finish", [](Stream* self) {
        const char* text = nullptr;
        size_t num_bytes = 0;
        Check(headway_stream_finish(self->handle.get(), &text, &num_bytes));
        return ToText(text, num_bytes);
      });
}

}  // namespace headway::python
