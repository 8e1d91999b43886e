"""EleutherAI's harness by its own command: the server tokenizes and scores."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from importlib.metadata import version

ROOT = pathlib.Path(__file__).resolve().parents[2]

with tempfile.TemporaryDirectory() as scratch:
    model = (f"model=story,base_url={os.environ['HEADWAY_URL']}/v1/completions,num_concurrent=2,"
             f"auth_token={os.environ['HEADWAY_KEY']}")
    environment = dict(os.environ, OPENAI_API_KEY=os.environ["HEADWAY_KEY"], HF_HOME=scratch, HF_DATASETS_OFFLINE="1")
    subprocess.run([pathlib.Path(sys.executable).parent / "lm_eval", "run", "--model", "local-completions",
                    "--model_args", model, "--tasks", "headway_endings", "--include_path",
                    ROOT / "python/tests/lm_eval_task", "--output_path", scratch, "--log_samples"],
                   cwd=ROOT, check=True, env=environment)
    results = json.loads(next(pathlib.Path(scratch).rglob("results_*.json")).read_text())
accuracy = results["results"]["headway_endings"]["acc,none"]
# A model of stories tells a sentence from its words in another order.
assert accuracy >= 0.8, accuracy
print(f"lm_eval {version('lm_eval')}: local-completions, accuracy {accuracy:.2f}")
