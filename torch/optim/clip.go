package optim

// ClipScale is the factor that brings gradients of a common norm to at most limit. As in torch.nn.utils.clip_grad_norm_, a small
// constant keeps a zero norm from dividing.
func ClipScale(norm, limit float64) float64 { return min(1, limit/(norm+1e-6)) }
