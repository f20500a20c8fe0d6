// Recomputation (gradient checkpointing, Chen et al., 2016): a block keeps its inputs alone, and backward computes the
// rest again. A block's function lives in Go.
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include "internal.h"

using namespace espalier;

namespace {

thread_local bool recompute = false;

esp_recompute_call call_block = nullptr;
esp_hook_release release_block = nullptr;

// Autocast of one kind of device, as it was when the block ran.
struct cast_state {
  at::DeviceType type;
  bool enabled;
  at::ScalarType dtype;

  explicit cast_state(at::DeviceType t)
      : type(t), enabled(at::autocast::is_autocast_enabled(t)), dtype(at::autocast::get_autocast_dtype(t)) {}
  void set() const {
    at::autocast::set_autocast_enabled(type, enabled);
    at::autocast::set_autocast_dtype(type, dtype);
  }
};

// The modes of a block that is computed again: those of its forward, and afterwards those of backward again.
struct block_modes {
  explicit block_modes(const cast_state &wanted)
      : grad(true), before(wanted.type), cache(at::autocast::is_autocast_cache_enabled()), recomputing(recompute) {
    wanted.set();
    // Casted weights that were kept without a graph would swallow the gradient.
    at::autocast::set_autocast_cache_enabled(false);
    recompute = false;
  }
  ~block_modes() {
    before.set();
    at::autocast::set_autocast_cache_enabled(cache);
    recompute = recomputing;
  }
  at::AutoGradMode grad;
  cast_state before;
  bool cache, recomputing;
};

struct block_node : torch::autograd::Node {
  block_node(std::vector<at::Tensor> inputs, std::vector<bool> wanted, at::DeviceType type, uintptr_t handle)
      : inputs(std::move(inputs)), wanted(std::move(wanted)), cast(type), handle(handle) {}
  ~block_node() override { release_block(handle); }

  std::string name() const override { return "RecomputedBlock"; }

  void release_variables() override { inputs.clear(); }

  torch::autograd::variable_list apply(torch::autograd::variable_list &&grads) override {
    TORCH_CHECK(inputs.size() == wanted.size(), "a recomputed block can be differentiated once");
    std::vector<at::Tensor> leaves;
    std::vector<esp_tensor *> lent;
    leaves.reserve(inputs.size());
    for (size_t i = 0; i < inputs.size(); i++) {
      leaves.push_back(inputs[i].defined() ? inputs[i].detach().requires_grad_(wanted[i]) : at::Tensor());
      lent.push_back(inputs[i].defined() ? reinterpret_cast<esp_tensor *>(&leaves.back()) : nullptr);
    }
    if (grads[0].defined()) {
      at::Tensor out = again(lent);
      if (out.requires_grad()) torch::autograd::backward({out}, {grads[0]});
    }
    torch::autograd::variable_list result;
    for (size_t i = 0; i < leaves.size(); i++)
      if (inputs[i].defined()) result.push_back(wanted[i] ? leaves[i].grad() : at::Tensor());
    return result;
  }

  at::Tensor again(std::vector<esp_tensor *> &lent) {
    block_modes modes(cast);
    return answered(call_block(handle, {lent.data(), static_cast<int64_t>(lent.size())}));
  }

  std::vector<at::Tensor> inputs;  // without their graph
  std::vector<bool> wanted;        // which of them want a gradient
  cast_state cast;
  uintptr_t handle;
};

}  // namespace

int32_t esp_block_mode(void) {
  if (!c10::GradMode::is_enabled()) return ESP_BLOCK_NO_GRAD;
  return recompute ? ESP_BLOCK_RECOMPUTED : ESP_BLOCK_PLAIN;
}

int32_t esp_recompute_set(int32_t on) { return std::exchange(recompute, on != 0); }

int32_t esp_recompute_begin(void) {
  int32_t before = at::autocast::is_autocast_cache_enabled();
  c10::GradMode::set_enabled(false);
  at::autocast::set_autocast_cache_enabled(false);
  return before;
}

void esp_recompute_end(int32_t before) {
  c10::GradMode::set_enabled(true);
  at::autocast::set_autocast_cache_enabled(before);
}

void esp_recompute_callbacks(esp_recompute_call call, esp_hook_release release) {
  call_block = call;
  release_block = release;
}

esp_result esp_tensor_recomputed(const esp_tensor *value, esp_tensors inputs, uintptr_t handle) {
  return guard([&] {
    std::vector<at::Tensor> kept;
    std::vector<bool> wanted;
    torch::autograd::variable_list given;
    for (int64_t i = 0; i < inputs.count; i++) {
      at::Tensor t = inputs.data[i] ? unwrap(inputs.data[i]) : at::Tensor();
      if (t.defined()) given.push_back(t);
      wanted.push_back(t.defined() && t.requires_grad());
      kept.push_back(t.defined() ? t.detach() : t);
    }
    at::Tensor out = unwrap(value).detach();
    std::shared_ptr<block_node> node(new block_node(std::move(kept), std::move(wanted), out.device().type(), handle),
                                     torch::autograd::deleteNode);
    node->set_next_edges(torch::autograd::collect_next_edges(given));
    torch::autograd::set_history(out, node);
    return out;
  });
}
