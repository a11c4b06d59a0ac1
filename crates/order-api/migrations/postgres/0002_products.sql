INSERT INTO products (sku, name, unit_price_minor, stock) VALUES
    ('TEA-001', 'Assam breakfast tea, 100 g',    590, 1000000),
    ('TEA-002', 'Earl Grey, 100 g',              640, 1000000),
    ('TEA-003', 'Darjeeling first flush, 100 g', 1250, 1000000),
    ('TEA-004', 'Sencha, 100 g',                 980, 1000000),
    ('TEA-005', 'Rooibos, 100 g',                450, 1000000),
    ('COF-001', 'House espresso, 250 g',         890, 1000000),
    ('COF-002', 'Ethiopia filter, 250 g',        1190, 1000000),
    ('COF-003', 'Decaf, 250 g',                  950, 1000000),
    ('CUP-001', 'Stoneware cup, 0.25 l',         1490, 1000000),
    ('CUP-002', 'Glass tumbler, 0.3 l',          790, 1000000),
    ('POT-001', 'Cast iron teapot, 0.8 l',       5900, 1000000),
    ('KET-001', 'Gooseneck kettle, 1 l',         8900, 1000000);
