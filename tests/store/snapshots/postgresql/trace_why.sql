SELECT spans.trace_id,
  spans.span_id,
  spans.name,
  spans.role,
  spans.start_ns,
  spans.counted,
  spans.suppressed_by,
  spans.reason
FROM spans
WHERE spans.project = %(project_1)s::VARCHAR
  AND spans.trace_id = %(trace_id_1)s
ORDER BY spans.start_ns,
  spans.span_id
LIMIT %(param_1)s::INTEGER
;

SELECT rejections.project,
  rejections.time_ns,
  rejections.signal,
  rejections.trace_id,
  rejections.span_id,
  rejections.reason,
  rejections.detail
FROM rejections
WHERE rejections.project = %(project_1)s::VARCHAR
  AND rejections.trace_id = %(trace_id_1)s::VARCHAR
ORDER BY rejections.time_ns
LIMIT %(param_1)s::INTEGER
;
