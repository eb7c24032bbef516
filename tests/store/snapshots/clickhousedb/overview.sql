SELECT count(*) AS `m_calls`,
  sum(CASE WHEN (`spans`.`error` = true) THEN %(param_1)s ELSE %(param_2)s END) AS `m_errors`,
  CAST(sum(CASE WHEN (`spans`.`error` = true) THEN %(param_3)s ELSE %(param_4)s END) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_error_rate`,
  sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS `m_cost`,
  CAST(sumKahanOrNull(coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`)) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_cost_per_call`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_1)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_2)s) AS `m_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_3)s) AS `m_input_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_4)s) AS `m_output_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`cache_read_tokens`)), %(coalesce_5)s) AS `m_cache_read_tokens`,
  coalesce(sumOrNull(toInt128(`spans`.`reasoning_tokens`)), %(coalesce_6)s) AS `m_reasoning_tokens`,
  sum(CASE WHEN (coalesce(`spans`.`cost_reported`, `spans`.`cost_computed`) IS NULL AND (`spans`.`input_tokens` IS NOT NULL OR `spans`.`output_tokens` IS NOT NULL)) THEN %(param_5)s ELSE %(param_6)s END) AS `m_unpriced_calls`,
  count(`spans`.`ttft_ns`) AS `m_calls_with_ttft`,
  CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE) / CAST(nullif(CAST(count(*) AS DOUBLE), 0.0) AS DOUBLE) AS `m_latency_avg`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_1)s) END AS `m_latency_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`end_ns` - `spans`.`start_ns`)), %(arrayElement_2)s) END AS `m_latency_p95`,
  CAST(sumOrNull(toInt128(`spans`.`ttft_ns`)) AS DOUBLE) / CAST(nullif(CAST(count(`spans`.`ttft_ns`) AS DOUBLE), 0.0) AS DOUBLE) AS `m_ttft_avg`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_3)s) END AS `m_ttft_p50`,
  CASE WHEN isNaN(arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_4)s)) THEN NULL ELSE arrayElement(quantilesExactInclusive(0.5, 0.95)(toFloat64(`spans`.`ttft_ns`)), %(arrayElement_4)s) END AS `m_ttft_p95`,
  CAST(coalesce(sumOrNull(toInt128(`spans`.`input_tokens`)), %(coalesce_7)s) + coalesce(sumOrNull(toInt128(`spans`.`output_tokens`)), %(coalesce_8)s) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tps`,
  CAST(sumOrNull(toInt128(`spans`.`end_ns` - `spans`.`start_ns`)) AS DOUBLE) / CAST(nullif(CAST(sumOrNull(toInt128(`spans`.`output_tokens`)) AS DOUBLE), 0.0) AS DOUBLE) AS `m_tpot`
FROM `spans`
WHERE `spans`.`project` = %(project_1)s
  AND `spans`.`counted` = true
  AND `spans`.`start_ns` >= %(start_ns_1)s
  AND `spans`.`start_ns` <= %(start_ns_2)s
LIMIT %(param_7)s
;
