SELECT min(trace_places.time_ns) AS min_1,
  max(trace_places.time_ns) AS max_1
FROM trace_places
WHERE trace_places.project = $1
  AND trace_places.trace_key IN ($3)
LIMIT $2
;

SELECT spans.trace_id,
  spans.span_id,
  spans.name,
  spans.role,
  spans.start_ns,
  spans.counted,
  spans.suppressed_by,
  spans.reason
FROM spans
WHERE spans.project = $1
  AND spans.trace_id = $2
  AND spans.start_ns >= $3
  AND spans.start_ns <= $4
ORDER BY spans.start_ns,
  spans.span_id
LIMIT $5
;

SELECT rejections.project,
  rejections.time_ns,
  rejections.signal,
  rejections.trace_id,
  rejections.span_id,
  rejections.reason,
  rejections.detail
FROM rejections
WHERE rejections.project = $1
  AND rejections.trace_id = $2
ORDER BY rejections.time_ns
LIMIT $3
;
