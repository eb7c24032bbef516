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
ORDER BY spans.start_ns,
  spans.span_id
LIMIT $3
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
