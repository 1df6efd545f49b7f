use super::*;
use proptest::{array::uniform6, collection::vec, prelude::*};

fn of(values: &[u64]) -> Distribution {
    of_precision(Precision::Three, values)
}

fn of_precision(precision: Precision, values: &[u64]) -> Distribution {
    let mut distribution = Distribution::new(precision);
    values.iter().for_each(|value| distribution.record(*value));
    distribution
}

fn precision() -> impl Strategy<Value = Precision> {
    prop_oneof![Just(Precision::One), Just(Precision::Two), Just(Precision::Three)]
}

#[test]
fn nothing_recorded_means_no_answer() {
    let empty = Distribution::default();
    assert_eq!((empty.count(), empty.sum()), (0, 0));
    assert_eq!((empty.min(), empty.max(), empty.mean(), empty.quantile(0.5)), (None, None, None, None));
}

#[test]
fn a_sum_that_is_seen_before_its_bucket_is_not_lost() {
    let (mut torn, mut window, mut merged) = (of(&[]), of(&[]), of(&[]));
    torn.add_sum(7);
    torn.since_into(Some(&of(&[])), &mut window);
    merged.merge(&window);
    of(&[7]).since_into(Some(&torn), &mut window);
    merged.merge(&window);
    assert_eq!(merged, of(&[7]));
}

#[test]
fn quantiles_of_ten_values() {
    let ten = of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let asked = [0.0, 0.1, 0.11, 0.5, 0.9, 0.91, 1.0, f64::NAN].map(|q| ten.quantile(q).unwrap());
    assert_eq!(asked, [1, 1, 2, 5, 9, 10, 10, 1]);
}

#[test]
fn a_quantile_never_leaves_the_recorded_range() {
    assert_eq!(of(&[1_000_003]).quantile(0.5), Some(1_000_003));
}

#[test]
fn values_beyond_the_range_keep_their_extremes_in_quantiles_and_windows() {
    let (earlier, now) = (of(&[HIGHEST + 5]), of(&[HIGHEST + 5, u64::MAX]));
    assert_eq!(now.quantile(1.0), Some(u64::MAX));
    let mut window = Distribution::default();
    now.since_into(Some(&earlier), &mut window);
    assert_eq!((window.min(), window.max()), (Some(HIGHEST + 5), Some(u64::MAX)));
    assert_eq!(window.quantile(0.5), Some(u64::MAX));
}

#[test]
fn a_window_equals_what_was_recorded_in_it_and_nothing_else() {
    let mut window = Distribution::default();
    of(&[1, 500, 1000]).since_into(Some(&of(&[1, 1000])), &mut window);
    assert_eq!(window, of(&[500]));
    assert_ne!(window, of(&[501]));
    assert_ne!(window, of(&[500, 500]));
    assert_ne!(window, Distribution::new(Precision::Two));
}

proptest! {
    #[test]
    fn the_merge_of_parts_in_any_order_is_the_whole(
        parts in vec(vec(prop_oneof![0..300_u64, 0..HIGHEST, any::<u64>()], 0..40), 0..8),
        precision in precision(),
        order in any::<u64>(),
    ) {
        let mut merged = Distribution::new(precision);
        let mut rest: Vec<_> = parts.iter().map(|part| of_precision(precision, part)).collect();
        while !rest.is_empty() {
            let at = usize::try_from(order % rest.len() as u64).unwrap();
            merged.merge(&rest.swap_remove(at));
        }
        let whole = of_precision(precision, &parts.concat());
        prop_assert_eq!(merged.count(), whole.count());
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn parts_of_any_precision_keep_counts_sums_and_extremes(
        parts in vec((precision(), vec(any::<u64>(), 0..20)), 0..6), into in precision(),
    ) {
        let mut merged = Distribution::new(into);
        parts.iter().for_each(|(precision, part)| merged.merge(&of_precision(*precision, part)));
        let values: Vec<u64> = parts.into_iter().flat_map(|(_, part)| part).collect();
        prop_assert_eq!(merged.count(), values.len() as u64);
        prop_assert_eq!(merged.buckets().map(|(.., count)| count).sum::<u64>(), merged.count());
        prop_assert_eq!(merged.sum(), values.iter().map(|value| u128::from(*value)).sum::<u128>());
        prop_assert_eq!((merged.min(), merged.max()), (values.iter().min().copied(), values.iter().max().copied()));
    }

    #[test]
    fn a_window_is_what_came_after(values in prop::collection::vec(0..HIGHEST, 0..200), cut in 0..200usize) {
        let (left, right) = values.split_at(cut.min(values.len()));
        let mut window = Distribution::default();
        of(&values).since_into(Some(&of(left)), &mut window);
        let expected = of(right);
        prop_assert_eq!(window.count(), expected.count());
        prop_assert_eq!(window.sum(), expected.sum());
        prop_assert!(window.buckets().eq(expected.buckets()));
        if let (Some(seen), Some(known)) = (window.max(), expected.max()) {
            prop_assert!(seen >= known && (seen - known) as f64 <= known as f64 / 1024.0);
        }
    }

    #[test]
    fn quantiles_are_hdrhistograms(values in prop::collection::vec(1..HIGHEST, 1..300), q in 0.0..=1.0f64) {
        let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST, 3).unwrap();
        values.iter().for_each(|value| hdr.record(*value).unwrap());
        let ours = of(&values);
        let theirs = hdr.value_at_quantile(q).clamp(ours.min().unwrap(), ours.max().unwrap());
        prop_assert_eq!(ours.quantile(q), Some(theirs));
    }

    #[test]
    fn several_quantiles_are_those_asked_for_one_by_one(
        values in vec(prop_oneof![0..300_u64, 0..HIGHEST, any::<u64>()], 0..300), precision in precision(), qs in uniform6(-0.1..1.1),
    ) {
        let ours = of_precision(precision, &values);
        let one_by_one = qs.map(|q| ours.quantile(q));
        prop_assert_eq!(ours.quantiles(qs).map(|all| all.map(Some)), (!values.is_empty()).then_some(one_by_one));
    }

    #[test]
    fn precisions_merge_within_the_coarser_error(values in prop::collection::vec(1..HIGHEST, 1..100)) {
        let mut coarse = Distribution::new(Precision::Two);
        coarse.merge(&of(&values));
        prop_assert_eq!(coarse.count(), values.len() as u64);
        let (fine, rough) = (of(&values).quantile(0.5).unwrap() as f64, coarse.quantile(0.5).unwrap() as f64);
        prop_assert!((fine - rough).abs() <= fine / 64.0);
    }
}
