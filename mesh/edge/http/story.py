"""A job's story: every record about it, in sentences."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mesh.edge import documents
from mesh.edge.http.preparing import is_prepared, with_remarks
from mesh.edge.http.reading import doors_of, expect, find_job, node_names, path_id, query_text
from mesh.member.commands import Story, TellStory
from mesh.member.story import SHORT_ID_CHARS, StoryItem


async def story(request: Request) -> Response:
    """GET mesh/jobs/{id}/story: every record about a job, first to last, with its cause."""
    doors = doors_of(request)
    job = await find_job(doors, path_id(request), query_text(request, "namespace"))
    told = expect(await doors.ask(TellStory(job.id, job.namespace)), Story)
    message = documents.job_message(told.job, await node_names(doors, (told.job,)))
    return JSONResponse(
        {
            "JobID": told.job.id,
            "Name": told.job.name,
            "State": documents.state_document(told.job.state.value, message),
            "Settled": told.job.settled,
            "CreateTime": documents.nanoseconds(told.job.created_ms),
            "Now": [
                f"{one.id[:SHORT_ID_CHARS]} on {one.node_name}: {one.observation.message}"
                for one in await with_remarks(doors, filter(is_prepared, job.attempts))
                if one.observation.message
            ],
            "Items": [_item_document(one) for one in told.items],
        }
    )


def _item_document(item: StoryItem) -> documents.Document:
    return {
        "Seq": item.seq,
        "Kind": item.kind,
        "Time": documents.nanoseconds(item.time_ms),
        "NodeID": item.node,
        "NodeName": item.node_name,
        "Sentence": item.sentence,
        "Because": item.because,
        "Cause": item.cause_seq,
        "Depth": item.depth,
        "ExecutionID": item.attempt or "",
    }


ROUTES = [Route("/api/v1/mesh/jobs/{id}/story", story)]
