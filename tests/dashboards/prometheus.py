"""Asks a Prometheus what a panel of Grafana would ask."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

STEP = 5


class Prometheus:
    """A Prometheus, and the span of time that is looked at."""

    def __init__(self, url, minutes):
        self.url = url.rstrip("/")
        self.end = time.time() // STEP * STEP
        self.start = self.end - minutes * 60

    def series(self, expr, instant=False):
        """The series of a query: (labels, [(time, value), …]) each.

        Raises ValueError with Prometheus's own words if the query is wrong.
        """
        path, parameters = "query", {"query": expr, "time": self.end}
        if not instant:
            path = "query_range"
            parameters = {"query": expr, "start": self.start, "end": self.end, "step": STEP}
        answer = self._ask(path, parameters)
        results = answer["data"]["result"]
        return [
            (result["metric"], [(float(at), float(value)) for at, value in points(result)])
            for result in results
        ]

    def exemplars(self, expr):
        """The exemplars of a query's series: [(time, value), …]."""
        span = {"query": expr, "start": self.start, "end": self.end}
        series = self._ask("query_exemplars", span)["data"]
        found = [exemplar for one in series for exemplar in one["exemplars"]]
        return [(exemplar["timestamp"], float(exemplar["value"])) for exemplar in found]

    def _ask(self, path, parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from error


def points(result):
    return result["values"] if "values" in result else [result["value"]]
