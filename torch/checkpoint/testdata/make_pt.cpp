// Makes the archives that libtorch's own torch::save writes: make_pt FOLDER. How to compile it is in make_pt.py.
#include <torch/torch.h>

int main(int argc, char **argv) {
  std::string to = std::string(argv[1]) + "/";
  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Linear(3, 2), torch::nn::BatchNorm1d(2), torch::nn::Functional(torch::relu));
  torch::save(net, to + "cpp_module.pt");
  torch::save(torch::arange(6, torch::kFloat).reshape({2, 3}).t(), to + "cpp_tensor.pt");
  torch::save(std::vector<torch::Tensor>{torch::arange(3), torch::ones({2}, torch::kHalf)}, to + "cpp_tensors.pt");
  torch::optim::Adam adam(net->parameters());
  net->forward(torch::ones({4, 3})).sum().backward();
  adam.step();
  torch::save(adam, to + "cpp_adam.pt");
}
