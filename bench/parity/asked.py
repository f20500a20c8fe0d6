"""Makes whole checkpoints of each family with transformers, processor and tokenizers included, and asks them questions.

    python asked.py OUT [--seed N]

Writes a folder OUT/<family>/ each: what save_pretrained of model and processor writes, the pictures, and asked.json: for each
question its picture, what the prompt was, transformers' answer as batch_decode gives it, the new ids up to end-of-sequence,
and the margin of each step's best logit over the second. questions.jsonl has them for
`model generate -ask`. The tokenizers are those of model/tokenizer/testdata/hub."""
import argparse, gzip, json, os, random, warnings
import torch, transformers
from PIL import Image
from tokenizers import Tokenizer
from transformers import AddedToken, Blip2Processor, BlipImageProcessor, InstructBlipProcessor, PreTrainedTokenizerFast
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from answers import cached
from cases import randomise
from configs import EOS, FAMILIES, PAD, kind, model
from images import Files, photo

HUB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "model", "tokenizer", "testdata", "hub")
SPECIAL = dict(opt=dict(bos_token="</s>", eos_token="</s>", pad_token="<pad>", unk_token="</s>"), t5=dict(eos_token="</s>", pad_token="<pad>", unk_token="<unk>"),
               llama=dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"),
               bert=dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]"))
QUESTIONS = ("What is the dog doing in the snow?", "Question: how many are there? Answer:", "Qu'est-ce que c'est, là-bas ?", "图片里有什么？",
             "  two  spaces and a\nnewline ", "a", "internationalization 👍🏽 e\u0301 \x07", "COLOR of <s> it's </s> 3.14")
TOKENS = 10


def tokenizer(name):
    with gzip.open(os.path.join(HUB, name + ".json.gz")) as f:
        return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(f.read().decode()), **SPECIAL[name])


def checkpoint(family, c, seed, added=()):
    """A model of the family with this config for the tokenizers' words and some more, and its processor."""
    words, extra = tokenizer(kind(family)), {}
    words.add_tokens([AddedToken(x, special=True) for x in added], special_tokens=True)
    if family.startswith("instruct"):
        extra = dict(qformer_tokenizer=tokenizer("bert"))
    pictures = BlipImageProcessor(size=dict(height=c.vision_config.image_size, width=c.vision_config.image_size))
    processor = (InstructBlipProcessor if extra else Blip2Processor)(pictures, words, num_query_tokens=c.num_query_tokens, **extra)
    c.image_token_index = processor.tokenizer.convert_tokens_to_ids("<image>")
    c.text_config.vocab_size = len(processor.tokenizer) + 5  # published checkpoints round up
    c.text_config.max_position_embeddings = 128
    if extra:
        c.qformer_config.vocab_size, c.qformer_config.max_position_embeddings = len(extra["qformer_tokenizer"]), 128
    m = {"blip-2": transformers.Blip2ForConditionalGeneration, "instructblip": transformers.InstructBlipForConditionalGeneration}[c.model_type](c)
    randomise(m, seed)
    return m.eval(), processor


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", help="the folder to write to")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    for f, family in enumerate(FAMILIES):
        m, processor = checkpoint(family, model(family, random.Random(100 * a.seed + f), 2 * f).config, 100 * a.seed + f)
        folder = os.path.join(a.out, family)
        m.save_pretrained(folder), processor.save_pretrained(folder)
        files, asked = Files(folder, a.seed), []
        pil = BlipImageProcessorPil(size=dict(processor.image_processor.size))  # the one on torchvision is off by a level here and there
        for n, question in enumerate(QUESTIONS):
            name = f"{n}.png"
            files.save(name, Image.fromarray(files.draw(kind=photo)))
            inputs = processor(images=Image.open(os.path.join(folder, name)), text=question, return_tensors="pt")
            inputs["pixel_values"] = pil(images=Image.open(os.path.join(folder, name)), return_tensors="pt")["pixel_values"]
            out = m.generate(**inputs, do_sample=False, max_new_tokens=TOKENS, output_logits=True, return_dict_in_generate=True, **cached(m))
            top = torch.stack(out.logits, 1)[0].topk(2, -1).values
            ids = out.sequences[0, -len(out.logits):].tolist()
            if EOS[kind(family)] in ids:
                ids = ids[:ids.index(EOS[kind(family)])]
            asked.append(dict(image=name, question=question, answer=processor.batch_decode([ids], skip_special_tokens=True)[0],
                              ids=ids, margins=(top[:, 0] - top[:, 1]).tolist()))
        with open(os.path.join(folder, "asked.json"), "w") as out:
            json.dump(asked, out, indent=1)
        with open(os.path.join(folder, "questions.jsonl"), "w") as out:
            out.writelines(json.dumps(dict(file_name=a["image"], question=a["question"])) + "\n" for a in asked)
            out.write("\n")
        print(family, [x["answer"] for x in asked][:3])


if __name__ == "__main__":
    main()
