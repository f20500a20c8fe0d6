// Optimizer steps over lists of tensors.
#include "internal.h"

using namespace espalier;

esp_status esp_adamw_step(esp_tensors params, esp_tensors grads, esp_tensors m, esp_tensors v, esp_tensors steps, double lr,
                          double beta1, double beta2, double eps, double weight_decay) {
  return guard([&] {
    c10::NoGradGuard no_grad;
    auto p = list(params), g = list(grads), first = list(m), second = list(v), counts = list(steps);
    // libtorch's fused kernel checks none of this, and reads what is shorter past its end.
    for (const auto *l : {&g, &first, &second, &counts})
      TORCH_CHECK(l->size() == p.size(), "lists of ", l->size(), " and of ", p.size(), " tensors: give one of each for every parameter");
    for (size_t i = 0; i < p.size(); i++) {
      TORCH_CHECK_TYPE(p[i].is_floating_point(), "parameter ", i, " is ", p[i].scalar_type(), ": only floats are optimized");
      for (auto &[l, what] : {std::pair(&g, "a gradient"), {&first, "a first moment"}, {&second, "a second moment"}}) check_like(p[i], (*l)[i], what);
      for (const auto *l : {&p, &first, &second})
        TORCH_CHECK((*l)[i].is_non_overlapping_and_dense(), "parameter ", i, " or a moment of it has gaps between its elements");
      if (g[i].strides() != p[i].strides()) g[i] = at::empty_like(p[i]).copy_(g[i]);  // the kernel pairs elements by their place in memory
      TORCH_CHECK(counts[i].dim() == 0 && counts[i].scalar_type() == at::kFloat && counts[i].device() == p[i].device(),
                  "steps are float32 scalars beside their parameters, and one is ", counts[i].sizes(), " ", counts[i].scalar_type(), " on ",
                  counts[i].device());
    }
    at::_foreach_add_(counts, 1);
    at::_fused_adamw_(p, g, first, second, {}, counts, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                      /*maximize=*/false);
    // The fused kernel does not count as a write, and recorded programs would go on with the old values.
    for (const at::Tensor &t : p)
      if (!t.is_inference()) t.unsafeGetTensorImpl()->bump_version();
  });
}

esp_status esp_grads_clip(esp_tensors grads, double limit, double *norm) {
  return guard([&] {
    c10::NoGradGuard no_grad;
    auto g = list(grads);
    *norm = at::stack(at::_foreach_norm(g, 2)).norm().item().toDouble();
    // As torch.nn.utils.clip_grad_norm_: the small constant keeps a zero norm from dividing.
    double scale = limit / (*norm + 1e-6);
    if (scale < 1) at::_foreach_mul_(g, scale);
  });
}
