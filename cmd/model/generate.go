package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"espalier/model"
	"espalier/model/image"
	speak "espalier/model/speaker"
	"espalier/torch"
)

// answer is what -json prints.
type answer struct {
	Picture  string `json:"file_name,omitempty"` // with -ask
	Question string `json:"question"`
	Answer   string `json:"answer"`
	IDs      []int  `json:"ids"`
}

func generate(flags *flag.FlagSet) func([]string, io.Writer) error {
	folder := flags.String("m", "", "checkpoint `folder`")
	picture := flags.String("image", "", "picture `file`: PNG, JPEG, WebP, GIF, BMP or TIFF; none for a decoder without towers")
	question := flags.String("question", "", "what is asked")
	list := flags.String("ask", "", "JSON-lines `file` of questions, instead of one: {\"file_name\": \"a.png\", \"question\": \"…\"}, as a data set's metadata.jsonl; without file_name for a decoder without towers")
	first := flags.Int("first", 0, "only so many lines of -ask; 0 is all")
	inputs := flags.String("inputs", "", "with -ask: `folder` for what the network was fed, "+pixelsName+" and "+idsName)
	template := flags.String("prompt", "", "what the question becomes, as `\"Question: {question} Answer:\"`; without it the checkpoint's own, from espalier.prompt in its config.json, or the question alone")
	tokens := flags.Int("max-new-tokens", speak.UsualTokens, "of the answer, end-of-sequence included")
	beams := flags.Int("num-beams", 1, "hypotheses of beam search with transformers' length_penalty of 1; 1 is greedy")
	asJSON := flags.Bool("json", false, "print question, answer and ids as JSON; -ask always does")
	on := device(flags)
	return func(args []string, out io.Writer) error {
		one := *question != "" && *inputs == "" && *first == 0
		many := *list != "" && *picture == "" && *question == ""
		if *folder == "" || one == many || len(args) > 0 {
			return usagef("model generate: -m is needed, and either -question, with -image where the network sees pictures, or -ask, and nothing more")
		}
		if *beams < 1 {
			return usagef("model generate: -num-beams %d: give 1 for a greedy answer, or more", *beams)
		}
		s, err := newSpeaker(*folder, *template, *on, model.GenerateOptions{MaxTokens: *tokens, Beams: *beams, LengthPenalty: 1})
		if err != nil {
			return err
		}
		defer s.Free()
		if one {
			if err := s.CheckPicture("-image", *picture != ""); err != nil {
				return usagef("model generate: %w", err)
			}
		}
		if room := s.Model.Room(); room > 0 && *tokens > room && given(flags, "max-new-tokens") {
			return usagef("model generate: -max-new-tokens %d: the language model has positions for %d tokens of question and answer; give at most %[2]d", *tokens, room)
		}
		if !given(flags, "max-new-tokens") {
			s.o.MaxTokens = s.MostTokens()
		}
		tell(flags, s.Model)
		if many {
			return s.askAll(*list, *first, *inputs, out)
		}
		q, err := s.Words.Question(*question)
		if err != nil {
			return err
		}
		if err := s.Model.CheckQuestion(q); err != nil {
			return usagef("model generate: -question: %w", err)
		}
		var pixels []byte
		if *picture != "" {
			if pixels, err = s.look(*picture); err != nil {
				return err
			}
		}
		answers, err := s.ask(pixels, []model.Question{q}, nil)
		if err != nil {
			return err
		}
		answers[0].Question = *question
		if *asJSON {
			return json.NewEncoder(out).Encode(answers[0])
		}
		_, err = fmt.Fprintln(out, answers[0].Answer)
		return err
	}
}

// given tells whether a flag was set.
func given(flags *flag.FlagSet, name string) (set bool) {
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// speaker is a checkpoint that answers questions in one way.
type speaker struct {
	*speak.Speaker
	o model.GenerateOptions
}

func newSpeaker(folder, template, on string, o model.GenerateOptions) (*speaker, error) {
	d, err := torch.ParseDevice(on)
	if err != nil {
		return nil, err
	}
	s, err := speak.Load(folder, template, d)
	return &speaker{s, o}, err
}

// look reads a picture as the network sees it.
func (s *speaker) look(file string) ([]byte, error) {
	rgb, err := image.Load(file)
	if err != nil {
		return nil, err
	}
	pixels, err := s.Sight.Picture(rgb)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return pixels, nil
}

// ask answers a question about each picture of the bytes [count, 3, size, size], or about none where the network sees none; fed,
// unless nil, gets the pixels.
func (s *speaker) ask(pixels []byte, questions []model.Question, fed io.Writer) ([]answer, error) {
	if fed != nil {
		raw, err := s.Normalised(pixels)
		if err == nil {
			_, err = fed.Write(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	said, err := s.Ask(pixels, questions, s.o)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(said))
	for i, a := range said {
		answers[i].IDs, answers[i].Answer = a.IDs, s.Words.Answers.Decode(a.IDs)
	}
	return answers, nil
}
