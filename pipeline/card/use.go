package card

import (
	"fmt"
	"strconv"
	"strings"
)

// use says how to ask the model.
func use(c *Card) string {
	n := c.Network.Config()
	var out strings.Builder
	out.WriteString("## How to use it\n\nFOLDER is the folder of this card.\n\n```\n")
	picture := ""
	if c.sees() {
		picture = " -image picture.png"
	}
	fmt.Fprintf(&out, "go run ./cmd/model generate -m FOLDER%s -question \"…\"\ngo run ./cmd/serve -m FOLDER\n```\n", picture)
	if n.Prompt != "" {
		fmt.Fprintf(&out, "\nBoth frame the question as %s (`espalier.prompt` in config.json).\n", code(n.Prompt))
	}
	if c.Unloadable != "" {
		fmt.Fprintf(&out, "\nPlain transformers does not load this folder: %s", md(c.Unloadable))
		if c.Rewrite != "" {
			fmt.Fprintf(&out, "; %s writes them as float32 into a folder NEW", code(c.Rewrite))
		}
		out.WriteString(".\n")
		return out.String()
	}
	fmt.Fprintf(&out, "\nWith plain transformers:\n\n```python\n%s```\n", python(c))
	return out.String()
}

// python asks with transformers.
func python(c *Card) string {
	n := c.Network.Config()
	prompt := "question"
	if n.Prompt != "" {
		prompt = strconv.QuoteToASCII(n.Prompt) + `.replace("{question}", question)` // a Go text in ASCII is a Python one
	}
	answer := `ids[:, inputs["input_ids"].shape[1]:]`
	if n.Text.EncoderDecoder() {
		answer = "ids"
	}
	if !c.sees() {
		return fmt.Sprintf(`from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER", dtype="auto")
question = "…"
inputs = tokenizer(%s, return_tensors="pt")
ids = model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False, max_new_tokens=%d)
print(tokenizer.batch_decode(%s, skip_special_tokens=True)[0].strip())
`, prompt, c.MaxTokens, answer)
	}
	if c.WordList {
		return fmt.Sprintf(byHand, n.Class(), prompt, map[bool]string{true: instruction}[n.Instruct()], c.MaxTokens, answer)
	}
	return fmt.Sprintf(byProcessor, n.Class(), prompt, c.MaxTokens, answer)
}

const byProcessor = `from PIL import Image
from transformers import AutoProcessor, %[1]s

processor = AutoProcessor.from_pretrained("FOLDER")
model = %[1]s.from_pretrained("FOLDER", dtype="auto")
question = "…"
inputs = processor(images=Image.open("picture.png").convert("RGB"), text=%[2]s, return_tensors="pt").to(dtype=model.dtype)
ids = model.generate(**inputs, do_sample=False, max_new_tokens=%[3]d)
print(processor.batch_decode(%[4]s, skip_special_tokens=True)[0].strip())
`

// byHand puts the picture's places before the question itself: transformers' processor wants a token "<image>" for them, which a list of words
// does not have.
const byHand = `import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, %[1]s

pictures = AutoImageProcessor.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = %[1]s.from_pretrained("FOLDER", dtype="auto")
question = "…"
words = tokenizer(%[2]s)["input_ids"]
places = [model.config.image_token_index] * model.config.num_query_tokens
inputs = dict(pictures(Image.open("picture.png").convert("RGB"), return_tensors="pt").to(dtype=model.dtype), input_ids=torch.tensor([places + words]))
inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
%[3]sids = model.generate(**inputs, do_sample=False, max_new_tokens=%[4]d)
print(tokenizer.batch_decode(%[5]s, skip_special_tokens=True)[0].strip())
`

const instruction = `inputs["qformer_input_ids"] = torch.tensor([words])
inputs["qformer_attention_mask"] = torch.ones_like(inputs["qformer_input_ids"])
`

// limits says what the figures do not.
func limits(c *Card) string {
	all := []string{
		fmt.Sprintf("It was made for the questions of %s, and measured on nothing else: other questions%s were not tried.", md(c.data()), map[bool]string{true: " and other kinds of pictures"}[c.sees()]),
		"It learnt from its teacher's answers, so it has its teacher's errors and biases, and some of its own: a share of the single answers changes even where the accuracy does not.",
		fmt.Sprintf("Answers end after %d tokens where they are asked for as above.", c.MaxTokens),
	}
	if c.sees() {
		all = append(all, fmt.Sprintf("Pictures are scaled to %d × %[1]d pixels: what is smaller than a pixel then is lost.", c.Network.Config().Vision.Image))
	}
	return "## Limits\n\n- " + strings.Join(all, "\n- ") + "\n"
}

// blanks are what only the publisher knows.
func blanks(c *Card) string {
	teacher := ""
	if c.Teacher != "" {
		teacher = fmt.Sprintf("- [ ] Teacher: the licence of %s, and where it comes from:\n", md(c.Teacher))
	}
	return fmt.Sprintf(`## To fill in before you publish

- [ ] Licence of this model (and `+"`license`"+` above):
%s- [ ] Data: the licence of %s, and where they come from:
- [ ] Languages (and `+"`language`"+` above):
- [ ] Intended use, and use that you advise against:
- [ ] Contact:
`, teacher, md(c.data()))
}
