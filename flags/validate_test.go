package flags

import (
	"strings"
	"testing"
)

func TestTargetingThatFlagdWouldTripOverIsRefusedWithThePlace(t *testing.T) {
	for rule, want := range map[string]string{
		`{"fraction":[["on",1],["off",1]]}`:              `no operator "fraction"`,
		`{"if":[{"==":[{"upper":["a"]},"b"]},"on"]}`:     `no operator "upper"`,
		`{"if":[true,[{"upper":["a"]}]]}`:                `no operator "upper"`,
		`{"fractional":[["on",0.5],["off",1]]}`:          "whole numbers",
		`{"fractional":[["on",-1],["off",1]]}`:           "whole numbers",
		`{"fractional":[["on","5"],["off",1]]}`:          "whole numbers",
		`{"fractional":[["on",1]]}`:                      "two buckets",
		`{"fractional":["seed",["on",1],["off",1]]}`:     "buckets [variant, weight]",
		`{"fractional":[["on",2147483647],["off",1]]}`:   "add up to more",
		`{"fractional":[["on",1],["of",1]]}`:             `"of", which is no variant`,
		`{"fractional":[["on",{"upper":[]}],["off",1]]}`: `no operator "upper"`,
		`{"==":[1]}`:                         "a list of 2",
		`{"<":[1]}`:                          "a list of 2 to 3",
		`{"*":[1]}`:                          "a list of at least 2",
		`{"reduce":[1,2]}`:                   "a list of 3",
		`{"if":{}}`:                          "a list of at least 1",
		`{"==":[1,1],"!=":[1,1]}`:            "one operator",
		`{"if":[{},"on"]}`:                   "one operator",
		`{"$ref":"x"}`:                       "inside an operator",
		`{"starts_with":["a"]}`:              "two strings",
		`{"ends_with":["a",1]}`:              "strings",
		`{"sem_ver":["1.0","=","1.0.0"]}`:    "versions such as",
		`{"sem_ver":["1.0.0","=>","1.0.0"]}`: "no comparison",
		`{"sem_ver":["1.0.0","="]}`:          "a version, a comparison",
		`{"if":[{"==":[{"var":"$flagd.flag"},"x"]},"on"]}`: "no $flagd.flag",
		`{"missing":["a",1]}`:                              "list of names",
		`{"missing_some":["a",["b"]]}`:                     "a number and a list",
		`{"!":[{"upper":[]}]}`:                             `no operator "upper"`,
		`{"fractional":[{"upper":[]},["on",1],["off",1]]}`: `no operator "upper"`,
		`{"starts_with":[{"var":"email"},{"upper":[]}]}`:   `no operator "upper"`,
	} {
		f := mustParse(t, "f", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":`+rule+`}`)
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rule, err, want)
		}
	}
}

func TestTargetingOfEveryKindThatFlagdKnowsIsTaken(t *testing.T) {
	for _, rule := range []string{
		`{}`,
		`{"fractional":[["on",500],["off",9500]]}`,
		`{"fractional":[{"cat":[{"var":"$flagd.flagKey"},{"var":"email"}]},["on"],["off",0]]}`,
		`{"fractional":[["on",{"if":[true,1,2]}],[{"var":"v"},1]]}`,
		`{"if":[{"$ref":"x"},"on",{"and":[true,{"!":{"var":["a",1]}}]},"off",null]}`,
		`{"if":[{"in":[{"var":"a"},["x","y"]]},"on"]}`,
		`{"if":[{"sem_ver":[{"var":"v"},"^","1.2.3-rc.1+b"]},"on","off"]}`,
		`{"if":[{"starts_with":["a",{"cat":["a","b"]}]},"on"]}`,
		`{"missing_some":[1,["a"]]}`,
		`{"reduce":[[1],{"+":[{"var":"current"},{"var":"accumulator"}]},0]}`,
	} {
		f := mustParse(t, "f", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":`+rule+`}`)
		if err := f.Validate(); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if err := (Flag{}).Validate(); err == nil {
		t.Error("the zero flag is valid")
	}
}
