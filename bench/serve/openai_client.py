"""Asks a running server with OpenAI's own library, as users and lmms-eval do; bench/serve/check.sh runs it.

    python openai_client.py URL MODEL PICTURE QUESTION ANSWER"""
import base64, sys
import openai

url, model, picture, question, answer = sys.argv[1:]
client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
data = "data:image/png;base64," + base64.b64encode(open(picture, "rb").read()).decode()
messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data}}, {"type": "text", "text": question}]}]

assert model in [m.id for m in client.models.list()]
assert client.models.retrieve(model).owned_by == "espalier"

whole = client.chat.completions.create(model=model, messages=messages, logprobs=True, top_logprobs=1)
choice = whole.choices[0]
assert choice.message.content == answer, (choice.message.content, answer)
assert choice.finish_reason == "stop" and choice.message.role == "assistant"
assert "".join(t.token for t in choice.logprobs.content) == answer
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
assert 0 < whole.espalier["confidence"] <= 1

# As lmms-eval asks: lmms_eval/models/chat/openai.py.
assert client.chat.completions.create(model=model, messages=messages, max_tokens=1024, temperature=0).choices[0].message.content == answer
assert client.chat.completions.create(model=model, messages=messages, max_completion_tokens=1024, response_format={"type": "text"}).choices[0].message.content == answer

chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True, stream_options={"include_usage": True}))
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answer
assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
assert chunks[-1].usage == whole.usage

with client.chat.completions.stream(model=model, messages=messages) as stream:
    assert stream.get_final_completion().choices[0].message.content == answer


def refused(kind, **changes):
    try:
        client.chat.completions.create(**{"model": model, "messages": messages, **changes})
    except kind as e:
        return e
    raise AssertionError(f"{changes} was not refused")


assert refused(openai.NotFoundError, model="gpt-4").code == "model_not_found"
assert refused(openai.BadRequestError, extra_body={"tempreature": 0}).param == "tempreature"
assert refused(openai.BadRequestError, messages=[{"role": "user", "content": ""}]).type == "invalid_request_error"
assert refused(openai.BadRequestError, n=2).param == "n"
print(f"openai {openai.__version__} (Python): {model} answers, whole and as a stream, and refuses in its form")
