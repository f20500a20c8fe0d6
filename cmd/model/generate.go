package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"espalier/model"
	"espalier/model/image"
	"espalier/model/prompt"
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
	tokens := flags.Int("max-new-tokens", 16, "of the answer, end-of-sequence included")
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
		defer s.m.Store().Free()
		if one {
			if err := s.checkPicture("-image", *picture); err != nil {
				return usagef("model generate: %w", err)
			}
		}
		if room := s.m.Room(); room > 0 && *tokens > room {
			if given(flags, "max-new-tokens") {
				return usagef("model generate: -max-new-tokens %d: the language model has positions for %d tokens of question and answer; give at most %[2]d", *tokens, room)
			}
			s.o.MaxTokens = room
		}
		tell(flags, s.m)
		if many {
			return s.askAll(*list, *first, *inputs, out)
		}
		q, err := s.words.Question(*question)
		if err != nil {
			return err
		}
		if err := s.m.CheckQuestion(q); err != nil {
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

// speaker is a checkpoint that answers questions.
type speaker struct {
	m     *model.Blip2
	words prompt.Words
	pre   model.Preprocessor
	on    torch.Device
	o     model.GenerateOptions
}

func newSpeaker(folder, template, on string, o model.GenerateOptions) (*speaker, error) {
	s := &speaker{o: o}
	var err error
	if s.on, err = torch.ParseDevice(on); err != nil {
		return nil, err
	}
	c, err := model.LoadConfig(folder)
	if err != nil {
		return nil, err
	}
	if s.words, err = prompt.Load(folder, c, template); err != nil {
		return nil, err
	}
	if s.pre, err = model.LoadPreprocessorFor(folder, c); err != nil {
		return nil, err
	}
	s.o.Ends = s.words.Ends()
	s.m, err = model.Load(folder, s.on)
	return s, err
}

// checkPicture holds the name of a picture, which was given as key, against what the network sees.
func (s *speaker) checkPicture(key, file string) error {
	switch towers := s.m.Config().Towers(); {
	case towers && file == "":
		return fmt.Errorf("%s is missing, and the network looks at pictures; add it", key)
	case !towers && file != "":
		return fmt.Errorf("%s is given, and the network is a decoder without towers, which sees no pictures; leave it out", key)
	}
	return nil
}

// look reads a picture as the network sees it.
func (s *speaker) look(file string) ([]byte, error) {
	rgb, err := image.Load(file)
	if err != nil {
		return nil, err
	}
	pixels, err := s.pre.Picture(rgb)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return pixels, nil
}

// ask answers a question about each picture of the bytes [count, 3, size, size], or about none where the network sees none; fed,
// unless nil, gets the pixels.
func (s *speaker) ask(pixels []byte, questions []model.Question, fed io.Writer) ([]answer, error) {
	answers := make([]answer, len(questions))
	asked := make([][]model.Question, len(questions))
	for i, q := range questions {
		asked[i] = []model.Question{q}
	}
	err := torch.Run(func(*torch.Scope) error {
		pictures := model.NoPictures(len(questions), s.on)
		if s.m.Config().Towers() {
			pictures = s.pre.Pictures(pixels, s.on)
		}
		if fed != nil {
			if _, err := fed.Write(pictures.Raw()); err != nil {
				return err
			}
		}
		ids, err := s.m.Generate(pictures, asked, s.o)
		for i := range ids {
			answers[i].IDs, answers[i].Answer = append([]int{}, ids[i][0]...), s.words.Answers.Decode(ids[i][0])
		}
		return err
	})
	return answers, err
}
