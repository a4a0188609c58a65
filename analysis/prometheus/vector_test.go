package prometheus

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/analysis"
)

// answer wraps the elements of a vector as Prometheus does.
func answer(elements string) []byte {
	return []byte(`{"status":"success","data":{"resultType":"vector","result":[` + elements + `]}}`)
}

func TestPrometheusOwnFormIsReadAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		elements string
		want     []analysis.Sample
	}{
		"none":       {``, []analysis.Sample{}},
		"no labels":  {`{"metric":{},"value":[1795176000,"0.018"]}`, []analysis.Sample{{Value: 0.018}}},
		"two":        {`{"metric":{"pod":"a","version":"v2"},"value":[1795176000.1,"3"]},{"metric":{"pod":"b"},"value":[1795176000.125,"NaN"]}`, []analysis.Sample{{Labels: map[string]string{"pod": "a", "version": "v2"}, Value: 3}, {Labels: map[string]string{"pod": "b"}, Value: math.NaN()}}},
		"infinities": {`{"metric":{},"value":[1,"+Inf"]},{"metric":{},"value":[1,"-Inf"]}`, []analysis.Sample{{Value: math.Inf(1)}, {Value: math.Inf(-1)}}},
		"exponents":  {`{"metric":{},"value":[1,"1.5e-09"]}`, []analysis.Sample{{Value: 1.5e-9}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := readVector(answer(c.elements))
			if !ok {
				t.Fatal("left to the library")
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOtherFormsAreLeftToTheLibrary(t *testing.T) {
	for name, body := range map[string][]byte{
		"a histogram":         answer(`{"metric":{},"histogram":[1,{"count":"1","sum":"1"}]}`),
		"both":                answer(`{"metric":{},"value":[1,"1"],"histogram":[1,{"count":"1","sum":"1"}]}`),
		"null":                answer(`null`),
		"no value":            answer(`{"metric":{}}`),
		"a null value":        answer(`{"metric":{},"value":null}`),
		"the time 0":          answer(`{"metric":{},"value":[0,"1"]}`),
		"the time 0.000":      answer(`{"metric":{},"value":[0.000,"1"]}`),
		"a negative time":     answer(`{"metric":{},"value":[-1,"1"]}`),
		"a value of no text":  answer(`{"metric":{},"value":[1,1]}`),
		"no number":           answer(`{"metric":{},"value":[1,"x"]}`),
		"no digits":           answer(`{"metric":{},"value":[1,""]}`),
		"out of range":        answer(`{"metric":{},"value":[1,"1e999"]}`),
		"an escape":           answer(`{"metric":{"a":"\n"},"value":[1,"1"]}`),
		"beyond ASCII":        answer(`{"metric":{"a":"ü"},"value":[1,"1"]}`),
		"a comma too many":    answer(`{"metric":{},"value":[1,"1"]},`),
		"a comma too few":     answer(`{"metric":{},"value":[1,"1"]}{"metric":{},"value":[1,"1"]}`),
		"a label too few":     answer(`{"metric":{"a":"b",},"value":[1,"1"]}`),
		"spaces":              answer(` `),
		"warnings":            []byte(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["w"]}`),
		"partial":             []byte(`{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}`),
		"partial, at the end": []byte(`{"status":"success","data":{"resultType":"vector","result":[]},"isPartial":true}`),
		"an error":            []byte(`{"status":"error","data":{"resultType":"vector","result":[]}}`),
		"a scalar":            []byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`),
		"a matrix":            []byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`),
		"more behind it":      append(answer(``), ' '),
		"nothing":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := readVector(body); ok {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

// FuzzReadVectorAgreesWithTheLibrary holds readVector to what the library reads: it may leave an answer to it, and must
// never read it otherwise.
func FuzzReadVectorAgreesWithTheLibrary(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSpace(string(text)))
	}
	for _, elements := range []string{``, `{"metric":{"a":"b"},"value":[1795176000.125,"0.018"]}`, `{"metric":{"a":"b","c":"d"},"value":[1,"NaN"]},{"metric":{},"value":[10,"+Inf"]}`,
		`{"metric":{"a":"b","a":"c"},"value":[1,"0x1p-2"]}`, `{"metric":{"":""},"value":[99999999999,"1_0"]}`, `{"metric":{"a b":"b"},"value":[1.0,"-0"]}`} {
		f.Add(elements)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, body := range [][]byte{[]byte(text), answer(text)} {
			got, ok := readVector(body)
			if !ok {
				continue
			}
			want, warnings, err := decodeAny(&http.Response{StatusCode: http.StatusOK}, body)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%s is read as %+v; the library says %v %v", body, got, err, warnings)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Fatalf("%s (-library +read):\n%s", body, diff)
			}
		}
	})
}
