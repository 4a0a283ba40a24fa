use super::*;

#[test]
fn the_first_and_the_last_are_kept() {
    assert_eq!(evenly(0, 24), Vec::<usize>::new());
    assert_eq!(evenly(1, 24), [0]);
    assert_eq!(evenly(5, 24), [0, 1, 2, 3, 4]);
    assert_eq!(evenly(10, 4), [0, 3, 6, 9]);
    assert_eq!(evenly(9, 1), [0]);
    for count in 25..500 {
        let columns = evenly(count, 24);
        assert_eq!((columns.len(), columns[0], columns[23]), (24, 0, count - 1));
        assert!(columns.is_sorted_by(|a, b| a < b));
    }
}
