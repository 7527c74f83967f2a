package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// reading is one value that Prometheus has now.
type reading struct {
	labels map[string]string
	value  resource.Quantity
	time   time.Time
}

// prometheus answers instant queries.
type prometheus struct {
	url    string
	client http.Client
}

// query returns no reading for a series whose value is not a number: there is none to steer by.
func (p *prometheus) query(ctx context.Context, promql string) ([]reading, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(promql), nil)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	found := struct {
		Error string `json:"error"`
		Data  struct {
			ResultType string          `json:"resultType"`
			Result     json.RawMessage `json:"result"`
		} `json:"data"`
	}{}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("prometheus answered %q with status %d: %s", promql, answer.StatusCode, found.Error)
	}
	return readings(found.Data.ResultType, found.Data.Result)
}

func readings(kind string, result json.RawMessage) ([]reading, error) {
	series := []struct {
		Metric map[string]string `json:"metric"`
		Value  []any             `json:"value"`
	}{{}}
	var err error
	switch kind {
	case "vector":
		err = json.Unmarshal(result, &series)
	case "scalar":
		err = json.Unmarshal(result, &series[0].Value)
	default:
		err = fmt.Errorf("the query gives a %s, not a value for each series", kind)
	}
	if err != nil {
		return nil, err
	}
	values := []reading{}
	for _, one := range series {
		value, ok := number(one.Value)
		if ok {
			value.labels = one.Metric
			values = append(values, value)
		}
	}
	return values, nil
}

func number(pair []any) (reading, bool) {
	if len(pair) != 2 {
		return reading{}, false
	}
	seconds, isNumber := pair[0].(float64)
	text, isText := pair[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if !isNumber || !isText || err != nil || math.IsNaN(value) || math.Abs(value) > math.MaxInt64/1000 {
		return reading{}, false
	}
	quantity := *resource.NewMilliQuantity(int64(math.Round(value*1000)), resource.DecimalSI)
	return reading{value: quantity, time: time.UnixMilli(int64(seconds * 1000))}, true
}
