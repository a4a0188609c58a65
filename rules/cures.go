package rules

// ruleCures are cures for keys that people write in a rule for a known one, or that belong elsewhere.
var ruleCures = map[string]string{
	"good": "write bad: what is not good", "errors": "write bad", "error_query": "write bad", "total_query": "write total",
	"threshold": "write max or min", "thresholdRange": "write max or min", "limit": "write max or min", "promql": "write query",
	"successCondition": "write max or min", "failureCondition": "write max or min", "failureLimit": "write failures_in_a_step",
	"action": "write it under an alert's annotations, or write on_fail", "provider": "write query, and its text alone",
	"record": "leave it out: Prometheus evaluates recording rules itself",
}

// defaultCures are cures for keys of rules that have no default of their own.
var defaultCures = map[string]string{
	"max": ofEachRule, "min": ofEachRule, "on_fail": ofEachRule, "severity": ofEachRule, "steps": ofEachRule, "dry_run": ofEachRule,
}

const ofEachRule = "write it at each rule that shall have it"
