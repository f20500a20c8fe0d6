// Command openai-go asks a running server with OpenAI's own library for Go; bench/serve/check.sh runs it.
//
//	go run . URL MODEL PICTURE QUESTION ANSWER
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, "openai-go:", err)
		os.Exit(1)
	}
	fmt.Printf("openai-go: %s answers, whole and as a stream, and refuses in its form\n", os.Args[2])
}

func run(url, model, picture, question, want string) error {
	ctx := context.Background()
	file, err := os.ReadFile(picture)
	if err != nil {
		return err
	}
	client := openai.NewClient(option.WithBaseURL(url+"/v1/"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	models, err := client.Models.List(ctx)
	if err != nil {
		return err
	}
	if len(models.Data) == 0 {
		return errors.New("no models are listed")
	}
	asked := openai.ChatCompletionNewParams{
		Model: model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(question),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(file)}),
		})},
		Logprobs: openai.Bool(true),
	}
	whole, err := client.Chat.Completions.New(ctx, asked)
	if err != nil {
		return err
	}
	if got := whole.Choices[0]; got.Message.Content != want || got.FinishReason != "stop" || len(got.Logprobs.Content) != int(whole.Usage.CompletionTokens) {
		return fmt.Errorf("got %q, ended by %q, %d log-probabilities, want %q", got.Message.Content, got.FinishReason, len(got.Logprobs.Content), want)
	}
	stream := client.Chat.Completions.NewStreaming(ctx, asked)
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			return errors.New("a chunk does not continue the ones before it")
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if got := all.Choices[0].Message.Content; got != want {
		return fmt.Errorf("the stream brought %q, want %q", got, want)
	}
	asked.Model = "gpt-4"
	_, err = client.Chat.Completions.New(ctx, asked)
	var refused *openai.Error
	if !errors.As(err, &refused) || refused.StatusCode != 404 || refused.Code != "model_not_found" || refused.Param != "model" {
		return fmt.Errorf("an unknown model gives %v", err)
	}
	return nil
}
