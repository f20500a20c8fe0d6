// Answers questions with model.pt, a file of `model export`, over plain libtorch: no file of Espalier's is needed.
//   answer model.pt pixels.bin ids.txt [tokens of an answer, 16] [rows at once, 8]
// pixels.bin: normalised pictures, float32 [rows, 3, size, size]. ids.txt: a line of ids a row; for InstructBLIP those of
// the Q-Former follow behind "|". Prints the ids of each answer, without the one that ends it.
#include <torch/script.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

using Rows = std::vector<std::vector<int64_t>>;

static std::vector<int64_t> numbers(const std::string &text) {
  std::istringstream in(text);
  return {std::istream_iterator<int64_t>(in), {}};
}

// A number, or a list of them, of espalier.json, which lies in model.pt.
static std::vector<int64_t> about(const std::string &json, const std::string &key) {
  size_t at = json.find("\"" + key + "\":");
  if (at == std::string::npos) throw std::runtime_error("the model's espalier.json has no " + key);
  at += key.size() + 3;
  std::string text = json.substr(at, json.find_first_of("]\"}", at) - at);
  std::replace(text.begin(), text.end(), '[', ' ');
  std::replace(text.begin(), text.end(), ',', ' ');
  return numbers(text);
}

// Rows of different lengths become one tensor, padded on the right, and a mask that says what is there.
static std::vector<at::Tensor> padded(const Rows &rows) {
  size_t width = 1;
  for (const auto &row : rows) width = std::max(width, row.size());
  at::Tensor ids = torch::zeros({static_cast<int64_t>(rows.size()), static_cast<int64_t>(width)}, torch::kLong), mask = ids.clone();
  for (size_t i = 0; i < rows.size(); i++)
    for (size_t k = 0; k < rows[i].size(); k++) ids[i][k] = rows[i][k], mask[i][k] = 1;
  return {ids, mask};
}

// The greedy answer of each row; any of the ends ends it.
static Rows answer(torch::jit::Module &model, const at::Tensor &pixels, const Rows &prompts, const Rows &instructions,
                   const std::vector<int64_t> &ends, int64_t tokens) {
  std::vector<c10::IValue> inputs{pixels};
  if (!instructions[0].empty())
    for (at::Tensor &t : padded(instructions)) inputs.emplace_back(t);
  inputs = {model.get_method("encode")(inputs)};
  for (at::Tensor &t : padded(prompts)) inputs.emplace_back(t);
  c10::IValue out = model.get_method("prefill")(inputs);
  Rows answers(prompts.size());
  std::vector<bool> done(prompts.size());
  for (int64_t n = 1;; n++) {
    at::Tensor token = out.toTupleRef().elements()[0].toTensor().argmax(-1);
    bool open = false;
    for (size_t i = 0; i < answers.size(); i++) {
      int64_t id = token[i].item<int64_t>();
      done[i] = done[i] || std::count(ends.begin(), ends.end(), id);
      if (!done[i]) answers[i].push_back(id), open = true;
    }
    if (!open || n >= tokens) return answers;
    out = model.get_method("step")({token, out.toTupleRef().elements()[1]});
  }
}

int main(int argc, const char **argv) try {
  if (argc < 4) throw std::runtime_error("usage: answer model.pt pixels.bin ids.txt [tokens] [rows at once]");
  size_t tokens = argc > 4 ? std::stoul(argv[4]) : 16, at_once = argc > 5 ? std::stoul(argv[5]) : 8;
  torch::jit::ExtraFilesMap extra{{"espalier.json", ""}};
  torch::jit::Module model = torch::jit::load(argv[1], torch::kCPU, extra);
  int64_t size = about(extra["espalier.json"], "image_size").at(0);
  std::vector<int64_t> ends = about(extra["espalier.json"], "eos_token_ids");
  std::ifstream pictures(argv[2], std::ios::binary), lines(argv[3]);
  if (!pictures || !lines) throw std::runtime_error(std::string("cannot read ") + argv[2] + " or " + argv[3]);
  c10::InferenceMode no_gradients;
  for (std::string line; lines.peek() != EOF;) {
    Rows prompts, instructions;
    while (prompts.size() < at_once && std::getline(lines, line)) {
      size_t bar = line.find('|');
      prompts.push_back(numbers(line.substr(0, bar)));
      instructions.push_back(bar == std::string::npos ? std::vector<int64_t>{} : numbers(line.substr(bar + 1)));
    }
    at::Tensor pixels = torch::empty({static_cast<int64_t>(prompts.size()), 3, size, size});
    if (!pictures.read(static_cast<char *>(pixels.data_ptr()), pixels.nbytes())) throw std::runtime_error("fewer pictures than questions");
    for (const auto &row : answer(model, pixels, prompts, instructions, ends, tokens)) {
      for (size_t k = 0; k < row.size(); k++) std::cout << (k ? " " : "") << row[k];
      std::cout << "\n";
    }
  }
  return 0;
} catch (const std::exception &e) {
  std::cerr << "answer: " << e.what() << "\n";
  return 1;
}
