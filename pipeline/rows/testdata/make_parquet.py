"""Makes the Parquet files of the tests as Hugging Face's libraries write them: python -m venv v && v/bin/pip install pyarrow==21.0.0"""

import pyarrow as pa
import pyarrow.parquet as pq

picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
pictures = [{"bytes": f"picture {i}".encode() * 50, "path": f"{i}.png"} for i in range(7)]
flat = pa.table({
    "image": pa.array([pictures[i // 2] for i in range(12)] + [None], picture),
    "question": pa.array([f"question {i}" for i in range(13)], pa.large_string()),
    "answer": pa.array([None if i % 3 else f"answer {i}" for i in range(13)]),
    "answers": pa.array([None, [], ["one"], ["zwölf", "two"]] * 3 + [["x"]], pa.list_(pa.string())),
    "task": pa.array(["a", "b", "a", None] * 3 + ["a"]).dictionary_encode(),
    "image_id": pa.array(range(13)),
})
for name, options in {"snappy": {}, "zstd2": {"compression": "zstd", "data_page_version": "2.0", "write_page_index": True}, "plain": {"compression": "none", "use_dictionary": False}}.items():
    pq.write_table(flat, f"{name}.parquet", row_group_size=5, data_page_size=300, write_batch_size=1, **options)

people = pa.list_(pa.struct([("answer", pa.string()), ("answer_confidence", pa.string()), ("answer_id", pa.int64())]))
pq.write_table(pa.table({
    "image": pa.array([pictures[0]], picture), "question": ["how many"], "multiple_choice_answer": ["2"],
    "answers": pa.array([[{"answer": a, "answer_confidence": "yes", "answer_id": i} for i, a in enumerate(["2", "two", "2"])]], people)}), "vqa.parquet")
turns = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
pq.write_table(pa.table({
    "id": ["1", "2"], "image": pa.array(pictures[:2], picture),
    "conversations": pa.array([[{"from": "human", "value": "<image>\nwhat"}, {"from": "gpt", "value": "this"}, {"from": "human", "value": "and"}, {"from": "gpt", "value": "that"}],
                               [{"from": "human", "value": "<image>\nwho"}, {"from": "gpt", "value": "she"}]], turns)}), "llava.parquet")
