package analysis_test

import (
	"math"

	"github.com/serin-cd/serin/analysis"
)

// The differences of one reading, by their names in the chapter.
const (
	mistakes  = "Mistakes are found before a release"
	noData    = "No data holds"
	unusable  = "An answer that cannot be used holds"
	warned    = "A partial answer proves nothing"
	everyOne  = "Every series counts"
	atLimit   = "The limit itself is healthy"
	notRound  = "Values are not rounded"
	noErrors  = "A service without errors is healthy"
	tooFew    = "Too few requests prove nothing"
	increases = "Only an increase over stable counts"
	instants  = "One instant is compared, not a population"
	notZero   = "An empty side is not zero"
	noScore   = "There is no score"
)

var nan, inf = math.NaN(), math.Inf(1)

// argoCases are of argo-rollouts: utils/evaluate/evaluate_test.go, metricproviders/prometheus/prometheus_test.go and
// docs/features/analysis.md.
var argoCases = []peerCase{
	// evaluate_test.go: which condition decides.
	{"evaluate: success holds, failure does not", "success result >= 1, failure result > 4", "Successful",
		value + "min: 1, max: 4", answers{value: vec(2)}, "healthy", ""},
	{"evaluate: both hold, failure wins", "success result >= 1, failure result > 4", "Failed",
		value + "min: 1, max: 4", answers{value: vec(5)}, "unhealthy", ""},
	{"evaluate: neither holds", "success result >= 0.9, failure result < 0.5", "Inconclusive",
		value + "min: 0.9, on_fail: hold\n" + value + "min: 0.5", answers{value: vec(0.7)}, "unhealthy", ""},
	{"evaluate: only a failure condition, not met", "failure result > 4", "Successful",
		value + "max: 4", answers{value: vec(2)}, "healthy", ""},
	{"evaluate: only a success condition, not met", "success result <= 4", "Failed",
		value + "max: 4", answers{value: vec(5)}, "unhealthy", ""},
	{"evaluate: no condition at all", "", "Successful",
		value, answers{value: vec(5)}, "refused", mistakes},
	{"evaluate: a condition names what is not there", "success a == true", "Error",
		value + "max: a", answers{value: vec(5)}, "refused", mistakes},
	{"evaluate: a condition is no condition", "success 1", "Error",
		"query: '1 >', max: 1", answers{value: vec(5)}, "refused", mistakes},
	{"prometheus: an argument cannot be resolved", "query test-{{args.var}}", "Error",
		`query: 'test{a="{{vars.var}}"}', max: 1`, answers{value: vec(5)}, "refused", mistakes},
	// evaluate_test.go: values.
	{"evaluate: a number", "success result > 1", "Successful",
		value + "min: 1", answers{value: vec(5)}, "healthy", ""},
	{"evaluate: all of a list", "success all(result, {# > 1})", "Successful",
		value + "min: 1", answers{value: vec(2, 2)}, "healthy", ""},
	{"evaluate: one of a list", "success 2 in result", "Successful",
		value + "min: 2, max: 2", answers{value: vec(2, 2)}, "healthy", ""},
	{"evaluate: asInt cuts off", "success asInt(result) == 1", "Successful",
		value + "min: 1, max: 1", answers{value: vec(1.123)}, "unhealthy", notRound},
	{"evaluate: asFloat keeps", "success asFloat(result) <= 1.1", "Successful",
		value + "max: 1.1", answers{value: vec(1.1)}, "healthy", ""},
	{"evaluate: default stands for nothing", "success default(result, 0) < 0.05", "Successful",
		value + "max: 0.05, on_no_data: pass", answers{}, "healthy", ""},
	{"analysis.md: ten errors or more, and it is ten", "failure result[0] >= 10", "Failed",
		value + "max: 10", answers{value: vec(10)}, "healthy", atLimit},
	{"analysis.md: 95 % or more, and it is 95 %", "success result[0] >= 0.95", "Successful",
		value + "min: 0.95", answers{value: vec(0.95)}, "healthy", ""},
	// prometheus_test.go.
	{"prometheus: a scalar", "success result == 10, failure result != 10", "Successful",
		value + "min: 10, max: 10", answers{value: vec(10)}, "healthy", ""},
	{"prometheus: an answer with warnings", "success result == 10, failure result != 10", "Successful",
		value + "min: 10, max: 10", answers{value: analysis.Result{Samples: vec(10).Samples, Warnings: []string{"warning", "warning2"}}}, "outage", warned},
	{"prometheus: the query fails", "success result == 10, failure result != 10", "Error",
		value + "min: 10, max: 10", answers{value: fails("bad big bug")}, "outage", ""},
	{"prometheus: a type that is not supported", "success result == 10, failure result != 10", "Error",
		value + "min: 10, max: 10", answers{value: fails("the answer is a string: an instant vector or a scalar is needed")}, "outage", ""},
	{"prometheus: NaN, and both conditions", "success result >= 0.9, failure result < 0.9", "Inconclusive",
		value + "min: 0.9", answers{value: vec(nan)}, "no data", ""},
	{"prometheus: NaN is named a success", "success result >= 0.9 || isNaN(result)", "Successful",
		value + "min: 0.9, on_no_data: pass", answers{value: vec(nan)}, "healthy", ""},
	{"prometheus: NaN, and a success condition alone", "success result >= 0.9", "Failed",
		value + "min: 0.9", answers{value: vec(nan)}, "no data", noData},
	{"prometheus: infinity is above a minimum", "success result >= 0.9", "Successful",
		value + "min: 0.9", answers{value: vec(inf)}, "healthy", ""},
	{"prometheus: infinity is named a failure", "failure isInf(result)", "Failed",
		value + "max: 1e300", answers{value: vec(inf)}, "unhealthy", ""},
	{"prometheus: minus infinity is named a failure", "failure isInf(result)", "Failed",
		value + "min: -1e300", answers{value: vec(-inf)}, "unhealthy", ""},
	{"prometheus: one of a vector", "success 10 in result, failure len(result) != 2", "Successful",
		value + "min: 10, max: 10", answers{value: vec(10, 11)}, "unhealthy", everyOne},
	// analysis.md: empty answers, and the first of several series.
	{"analysis.md: an empty vector is named a success", "success len(result) == 0 || result[0] >= 0.95", "Successful",
		value + "min: 0.95, on_no_data: pass", answers{}, "healthy", ""},
	{"analysis.md: an empty vector is named a failure", "success len(result) > 0 && result[0] >= 0.95", "Failed",
		value + "min: 0.95, on_no_data: rollback", answers{}, "unhealthy", ""},
	{"analysis.md: an empty vector, and the first is asked for", "success result[0] >= 0.95", "Error",
		value + "min: 0.95", answers{}, "no data", ""},
	{"analysis.md: only the first is looked at", "success result[0] >= 0.95", "Successful",
		value + "min: 0.95", answers{value: vec(0.99, 0.5)}, "unhealthy", everyOne},
	{"analysis.md: success rate of no requests", "success result[0] >= 0.95", "Failed",
		ratio + "max: 5%", answers{bad: vec(0), total: vec(0)}, "no data", noData},
	{"analysis.md: one error in three requests", "success result[0] >= 0.95", "Failed",
		ratio + "max: 5%", answers{bad: vec(1), total: vec(3)}, "inconclusive", tooFew},
	{"analysis.md: no error series", "failure result[0] >= 10", "Error",
		ratio + "max: 5%", answers{total: vec(400)}, "healthy", noErrors},
}
