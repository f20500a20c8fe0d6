// TorchScript modules: their parameters, files and methods.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cctype>

#include "module.h"

using namespace espalier;

namespace {

// A class for each submodule, named after its place.
torch::jit::Module new_module(const std::string &place, std::shared_ptr<torch::jit::CompilationUnit> unit) {
  std::string atom = place;
  std::replace(atom.begin(), atom.end(), '.', '_');
  return torch::jit::Module(c10::QualifiedName("__torch__.espalier." + atom), std::move(unit), /*shouldMangle=*/true);
}

// What a person reads of an interpreter's error stands behind its listing of the code.
[[noreturn]] void rethrow_short(const std::exception &e) {
  std::string message = e.what();
  size_t at = message.rfind("RuntimeError: ");
  if (at == std::string::npos) at = message.rfind("IndexError: ");
  if (at == std::string::npos) throw;
  throw std::runtime_error(message.substr(message.find(": ", at) + 2));
}

void append(const c10::IValue &v, std::vector<at::Tensor> &tensors, std::vector<int64_t> &layout) {
  if (v.isTensor()) {
    layout.push_back(-1);
    tensors.push_back(v.toTensor());
    return;
  }
  TORCH_CHECK(v.isTensorList(), "a method gave ", v.tagKind(), " where tensors and lists of tensors are known");
  std::vector<at::Tensor> all = v.toTensorVector();
  layout.push_back(static_cast<int64_t>(all.size()));
  tensors.insert(tensors.end(), all.begin(), all.end());
}

template <class T>
T *heap(const std::vector<T> &v) {
  T *out = static_cast<T *>(malloc(std::max<size_t>(1, v.size()) * sizeof(T)));
  std::copy(v.begin(), v.end(), out);
  return out;
}

}  // namespace

namespace espalier {

std::string named(const std::string &name) {
  bool fits = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return c == '_' || (c < 128 && std::isalnum(c)); });
  TORCH_CHECK(fits, "\"", name, "\" is no name in TorchScript: give ASCII letters, digits and _");
  return name;
}

std::vector<c10::IValue> to_stack(esp_values values) {
  std::vector<c10::IValue> stack;
  esp_tensor *const *next = values.tensors.data;
  for (int64_t n : ints(values.layout)) {
    if (n < 0) {
      stack.emplace_back(unwrap(*next++));
      continue;
    }
    stack.emplace_back(c10::List<at::Tensor>(list({next, n})));
    next += n;
  }
  return stack;
}

}  // namespace espalier

esp_status esp_module_new(const char *class_name, esp_module **out) {
  return guard([&] { *out = new esp_module{new_module(named(class_name), std::make_shared<torch::jit::CompilationUnit>())}; });
}

void esp_module_free(esp_module *m) { delete m; }

esp_status esp_module_parameter(esp_module *m, const char *name, const esp_tensor *value) {
  return guard([&] {
    torch::jit::Module at = m->module;
    std::string rest = name;
    for (size_t dot; (dot = rest.find('.')) != std::string::npos; rest = rest.substr(dot + 1)) {
      std::string child = named(rest.substr(0, dot));
      if (!at.hasattr(child))
        at.register_module(child, new_module(std::string(name, strlen(name) - rest.size() + dot), m->module._ivalue()->compilation_unit()));
      at = at.attr(child).toModule();
    }
    TORCH_CHECK(!at.hasattr(named(rest)), "the module has two parameters ", name);
    at.register_parameter(rest, unwrap(value), /*is_buffer=*/false);
  });
}

esp_status esp_module_save(const esp_module *m, const char *path, const char *const *names, const char *const *contents,
                           int64_t extra_files) {
  return guard([&] {
    torch::jit::ExtraFilesMap extra;
    for (int64_t i = 0; i < extra_files; i++) extra[names[i]] = contents[i];
    m->module.save(path, extra);
  });
}

esp_status esp_module_load(const char *path, int32_t device, esp_module **out) {
  return guard([&] { *out = new esp_module{torch::jit::load(path, device_of(device))}; });
}

esp_status esp_module_call(esp_module *m, const char *method, esp_values inputs, esp_values *out) {
  return guard([&] {
    auto found = m->module.find_method(method);
    TORCH_CHECK(found, "the module has no method ", method);
    c10::IValue answer;
    try {
      answer = (*found)(to_stack(inputs));
    } catch (const std::exception &e) {
      rethrow_short(e);
    }
    std::vector<at::Tensor> tensors;
    std::vector<int64_t> layout;
    if (answer.isTuple()) {
      for (const c10::IValue &v : answer.toTupleRef().elements()) append(v, tensors, layout);
    } else {
      append(answer, tensors, layout);
    }
    std::vector<esp_tensor *> handles;
    for (at::Tensor &t : tensors) handles.push_back(wrap(std::move(t)));
    *out = {{heap(handles), static_cast<int64_t>(handles.size())}, {heap(layout), static_cast<int64_t>(layout.size())}};
  });
}

void esp_values_free(esp_values v) {
  free(const_cast<esp_tensor **>(v.tensors.data));
  free(const_cast<int64_t *>(v.layout.data));
}
