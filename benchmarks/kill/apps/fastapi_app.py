"""A FastAPI application whose tasks run in its own processes after the answer."""

from fastapi import BackgroundTasks, FastAPI
from work import step

app = FastAPI()


@app.post("/tasks/{number}", status_code=202)
def submit(number: int, seconds: float, tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(step, number, seconds)
    return {"said": "it will be done"}


@app.get("/ping")
def ping() -> dict[str, str]:
    return {"said": "pong"}
