// Gradient hooks: calls into Go, and folding of gradients into small vectors while backward runs.
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <mutex>

#include "internal.h"

using namespace espalier;

namespace {

esp_hook_call call_go = nullptr;
esp_hook_release release_go = nullptr;

// The Go function behind a hook; released with the closure that holds it, whoever drops that.
struct go_function {
  explicit go_function(uintptr_t handle) : handle(handle) {}
  ~go_function() { release_go(handle); }
  uintptr_t handle;
};

}  // namespace

namespace espalier {

at::Tensor answered(esp_hook_answer answer) {
  if (answer.error) {
    callback_error e(answer.error, answer.kind);
    free(answer.error);
    throw e;
  }
  if (!answer.grad) return at::Tensor();
  at::Tensor t = unwrap(answer.grad);
  esp_tensor_free(answer.grad);
  return t;
}

// A chunk keeps the temporary products of a fold within the cache; on a GPU within 256 MB, since every chunk starts kernels of its own.
constexpr int64_t chunk_elements = 1 << 16, gpu_chunk_elements = 1 << 26;

static at::Tensor fold_rows(const at::Tensor &grad, const at::Tensor &weight, int32_t mode) {
  switch (mode) {
    case ESP_FOLD_GRAD_ABS:
      return grad.abs();
    case ESP_FOLD_TAYLOR_ABS:
      return grad.mul(weight).abs_();
    default:
      return grad.mul(weight);
  }
}

// The sums of one leaf, shared by the hook and by the handle: either may go first.
struct folding {
  at::Tensor weight;  // the leaf's values without its graph, or the hook would keep the leaf alive
  int32_t mode;
  std::mutex mutex;  // on CUDA, backward runs on a thread of autograd's own
  std::vector<at::Tensor> sums;  // none before something is folded: on a GPU, starting a kernel takes longer than these small ones run

  void fold(const at::Tensor &grad) {
    std::lock_guard<std::mutex> lock(mutex);
    if (grad.dim() == 0) return add(0, fold_rows(grad, weight, mode).to(at::kDouble).view(1));
    int64_t rows = grad.size(0);
    int64_t most = grad.is_cuda() ? gpu_chunk_elements : chunk_elements;
    int64_t per_chunk = std::max<int64_t>(1, most * rows / std::max<int64_t>(1, grad.numel()));
    std::vector<at::Tensor> first;  // along the rows
    for (int64_t from = 0; from < rows; from += per_chunk) {
      int64_t count = std::min(per_chunk, rows - from);
      at::Tensor part = count == rows ? fold_rows(grad, weight, mode) : fold_rows(grad.narrow(0, from, count), weight.narrow(0, from, count), mode);
      for (int64_t d = 0; d < part.dim(); d++) {
        std::vector<int64_t> others;
        for (int64_t o = 0; o < part.dim(); o++)
          if (o != d) others.push_back(o);
        at::Tensor sum = others.empty() ? part.to(at::kDouble) : part.sum(others, false, at::kDouble);
        if (d == 0)
          first.push_back(sum);
        else
          add(d, sum);
      }
    }
    if (!first.empty()) add(0, first.size() == 1 ? first[0] : at::cat(first));
  }

  void add(int64_t dim, const at::Tensor &sum) {
    if (sums[dim].defined())
      sums[dim].add_(sum);
    else
      sums[dim] = sum;
  }

  at::Tensor take(int64_t dim) {
    std::lock_guard<std::mutex> lock(mutex);
    auto dims = static_cast<int64_t>(sums.size());
    TORCH_CHECK_INDEX(dim >= 0 && dim < dims, "no dimension ", dim, " among ", dims);
    at::Tensor sum = std::exchange(sums[dim], at::Tensor());
    return sum.defined() ? sum : at::zeros({weight.dim() ? weight.size(dim) : 1}, weight.options().dtype(at::kDouble));
  }
};

}  // namespace espalier

namespace {

// After autograd has added to .grad: fold it and drop it, so that no more than one gradient lives at a time.
struct fold_hook : torch::autograd::PostAccumulateGradHook {
  explicit fold_hook(std::shared_ptr<folding> f) : into(std::move(f)) {}
  void operator()(const at::Tensor &t) override {
    c10::NoGradGuard no_grad;
    if (!t.grad().defined()) return;
    into->fold(t.grad());
    const_cast<at::Tensor &>(t).mutable_grad().reset();
  }
  std::shared_ptr<folding> into;
};

}  // namespace

struct esp_accumulator {
  at::Tensor leaf;
  std::shared_ptr<folding> into;
};

void esp_hook_callbacks(esp_hook_call call, esp_hook_release release) {
  call_go = call;
  release_go = release;
}

esp_status esp_tensor_hook(esp_tensor *t, uintptr_t handle, uint32_t *position) {
  return guard([&] {
    auto function = std::make_shared<go_function>(handle);
    *position = unwrap(t).register_hook([function](at::Tensor grad) -> at::Tensor {
      return answered(call_go(function->handle, reinterpret_cast<esp_tensor *>(&grad)));
    });
  });
}

esp_status esp_tensor_hook_remove(esp_tensor *t, uint32_t position) {
  return guard([&] { unwrap(t).remove_hook(position); });
}

esp_status esp_accumulator_new(esp_tensor *t, int32_t mode, esp_accumulator **out) {
  return guard([&] {
    at::Tensor leaf = unwrap(t);
    TORCH_CHECK(mode >= ESP_FOLD_GRAD_ABS && mode <= ESP_FOLD_TAYLOR, "there is no fold of number ", mode);
    TORCH_CHECK(leaf.is_leaf() && leaf.requires_grad(), "only a leaf that requires a gradient can be folded");
    TORCH_CHECK(!torch::autograd::impl::post_acc_grad_hooks(leaf), "the tensor's gradient is folded already");
    TORCH_CHECK(!leaf.grad().defined(), "the tensor has a gradient, which would be folded too: drop it first");
    auto into = std::make_shared<folding>();
    into->weight = leaf.detach();
    into->mode = mode;
    into->sums.resize(std::max<int64_t>(1, leaf.dim()));
    torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<fold_hook>(into));
    *out = new esp_accumulator{leaf, into};
  });
}

esp_result esp_accumulator_take(esp_accumulator *a, int64_t dim) {
  return guard([&] { return a->into->take(dim); });
}

esp_status esp_accumulator_free(esp_accumulator *a) {
  return guard([&] {
    torch::autograd::impl::set_post_acc_grad_hooks(a->leaf, nullptr);
    delete a;
  });
}
